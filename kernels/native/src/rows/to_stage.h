// Sums become float32 or uint8 images in a stage, after the activation. For kernels.cpp only.

#pragma once

#include "rows/activate_all.h"
#include "rows/walk.h"

namespace gk {
namespace {

// As engine.images.to_uint8: the product is rounded before the sum.
GK_INLINE __m128i to_bytes(Vector value, float scale, float offset) {
  const Vector scaled = rounded(value * broadcast(scale)) + broadcast(offset);
  // NaN becomes 0; its image has been marked.
  const __m512 clipped = _mm512_maskz_min_ps(
      0xffff, _mm512_maskz_max_ps(0xffff, scaled, broadcast(0.0f)), broadcast(255.0f));
  return _mm512_maskz_cvtepi32_epi8(0xffff, _mm512_maskz_cvtps_epi32(0xffff, clipped));
}

template <int kTiles, bool kBytes>
struct ToStage {
  struct Place {
    int64_t at;  // of the first image's site in the stage
    uint32_t wanted;
    int images;
    uint8_t* finite;
  };

  const RowTask* task;
  RowStage stage;

  Place place(const RowUnit& unit) const {
    const int64_t site = unit.sites[2] - task->axes[2].sites;
    return {unit.image * stage.image + site * stage.site, stage.columns[site],
            task->images - unit.image, stage.finite + unit.image};
  }

  GK_INLINE void images(const Place& place, unsigned first, const float* sums) const {
    for (int i = 0; i < kSlice; ++i) {
      const int image = static_cast<int>(first) + i;
      if (image < place.images) finish(place, image, sums + i * 16);
    }
  }

  GK_INLINE void finish(const Place& place, int image, const float* sums) const {
    constexpr int kNanOrInfinite = 0x99;
    Vector values[kTiles];
    GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) values[tile] = load(sums + tile * 256);
    activate_all<kTiles>(task->activation, task->alpha, values);
    __m128i bytes[kTiles];
    uint32_t strange = 0;
    GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
      const auto columns = static_cast<__mmask16>(place.wanted >> 16 * tile);
      strange |= _mm512_mask_fpclass_ps_mask(columns, values[tile], kNanOrInfinite);
      if constexpr (kBytes) bytes[tile] = to_bytes(values[tile], stage.scale, stage.offset);
    }
    if (strange) place.finite[image] = 0;
    const int64_t at = place.at + image * stage.image;
    const RowRun* const end = stage.runs + stage.run_count;
    for (const RowRun* run = stage.runs; run < end; ++run) {
      const auto columns = static_cast<__mmask16>(place.wanted >> 16 * run->tile & run->columns);
      const int tile = kTiles == 1 ? 0 : run->tile;
      if constexpr (kBytes) {
        _mm_mask_storeu_epi8(static_cast<uint8_t*>(stage.data) + at + run->offset, columns,
                             bytes[tile]);
      } else {
        _mm512_mask_storeu_ps(static_cast<float*>(stage.data) + at + run->offset, columns,
                              values[tile]);
      }
    }
  }
};

template <int kTiles>
void to_stage_of(const RowTask& task, const RowStage& stage) {
  if (stage.bytes) {
    const ToStage<kTiles, true> finish{&task, stage};
    Walk<kTiles, ToStage<kTiles, true>>(task, finish).run();
  } else {
    const ToStage<kTiles, false> finish{&task, stage};
    Walk<kTiles, ToStage<kTiles, false>>(task, finish).run();
  }
}

void to_stage(const RowTask& task, const RowStage& stage) {
  task.panel.tiles == 2 ? to_stage_of<2>(task, stage) : to_stage_of<1>(task, stage);
}

}  // namespace
}  // namespace gk
