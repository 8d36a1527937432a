// Sums become float32 or uint8 images in a stage, after the activation. For kernels.cpp only.

#pragma once

#include "isa/activate.h"
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

template <Activation kActivation, int kTiles, bool kBytes>
struct ToStage {
  const RowTask& task;
  const RowStage& stage;

  void operator()(const RowUnit& unit, const float* sums) const {
    constexpr int kNanOrInfinite = 0x99;
    const int64_t site = unit.sites[2] - task.axes[2].sites;
    const uint32_t wanted = stage.columns[site];
    const int left = task.images - unit.image;
    const int images = left < kRowImages ? left : kRowImages;
    int64_t at = unit.image * stage.image + site * stage.site;
    for (int image = 0; image < images; ++image, at += stage.image) {
      Vector values[kTiles];
      __m128i bytes[kTiles];
      uint32_t strange = 0;
      GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
        const float* from = sums + tile * 256 + image * 16;
        values[tile] = activate(kActivation, task.alpha, load(from));
        const auto columns = static_cast<__mmask16>(wanted >> 16 * tile);
        strange |= _mm512_mask_fpclass_ps_mask(columns, values[tile], kNanOrInfinite);
        if constexpr (kBytes) bytes[tile] = to_bytes(values[tile], stage.scale, stage.offset);
      }
      if (strange) stage.finite[unit.image + image] = 0;
      for (int i = 0; i < stage.run_count; ++i) {
        const RowRun& run = stage.runs[i];
        const auto columns = static_cast<__mmask16>(wanted >> 16 * run.tile & run.columns);
        const int tile = kTiles == 1 ? 0 : run.tile;
        if constexpr (kBytes) {
          auto* to = static_cast<uint8_t*>(stage.data) + at + run.offset;
          _mm_mask_storeu_epi8(to, columns, bytes[tile]);
        } else {
          auto* to = static_cast<float*>(stage.data) + at + run.offset;
          _mm512_mask_storeu_ps(to, columns, values[tile]);
        }
      }
    }
  }
};

template <Activation kActivation, int kTiles>
void to_stage_with(const RowTask& task, const RowStage& stage) {
  if (stage.bytes) {
    const ToStage<kActivation, kTiles, true> finish{task, stage};
    Walk<kTiles, ToStage<kActivation, kTiles, true>>(task, finish).run();
  } else {
    const ToStage<kActivation, kTiles, false> finish{task, stage};
    Walk<kTiles, ToStage<kActivation, kTiles, false>>(task, finish).run();
  }
}

template <int kTiles>
void to_stage_of(const RowTask& task, const RowStage& stage) {
  switch (task.activation) {
    case Activation::kNone:
      return to_stage_with<Activation::kNone, kTiles>(task, stage);
    case Activation::kRelu:
      return to_stage_with<Activation::kRelu, kTiles>(task, stage);
    case Activation::kLeakyRelu:
      return to_stage_with<Activation::kLeakyRelu, kTiles>(task, stage);
    case Activation::kTanh:
      return to_stage_with<Activation::kTanh, kTiles>(task, stage);
    case Activation::kSigmoid:
      return to_stage_with<Activation::kSigmoid, kTiles>(task, stage);
  }
}

void to_stage(const RowTask& task, const RowStage& stage) {
  task.panel.tiles == 2 ? to_stage_of<2>(task, stage) : to_stage_of<1>(task, stage);
}

}  // namespace
}  // namespace gk
