// Sums become float32 or uint8 images in a stage, after the activation. For kernels.cpp only.

#pragma once

#include "isa/finite.h"
#include "isa/levels.h"
#include "rows/activate_all.h"
#include "rows/walk.h"

namespace gk {
namespace {

template <int kTiles, bool kBytes, bool kStraight>
struct ToStage {
  // Where all columns lie side by side one image at a time, as more would keep the tiles waiting;
  // runs of columns are looked up once for several.
  static constexpr int kSlice = kStraight ? 1 : 4;

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
    Vector values[kSlice * kTiles];
    GK_UNROLL for (int i = 0; i < kSlice * kTiles; ++i) {
      values[i] = load(sums + i % kTiles * 256 + i / kTiles * 16);
    }
    activate_all<kSlice * kTiles>(task->activation, task->alpha, values);
    mark(place, static_cast<int>(first), values);
    const int64_t at = place.at + first * stage.image;
    if constexpr (kBytes) {
      __m128i bytes[kSlice * kTiles];
      GK_UNROLL for (int i = 0; i < kSlice * kTiles; ++i) {
        const Integers levels =
            to_uint8(values[i], broadcast(stage.scale), broadcast(stage.offset));
        bytes[i] = _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)levels);
      }
      store_any(place, static_cast<int>(first), static_cast<uint8_t*>(stage.data) + at, bytes);
    } else {
      store_any(place, static_cast<int>(first), static_cast<float*>(stage.data) + at, values);
    }
  }

  // Notes which images have values that are NaN or infinite.
  GK_INLINE void mark(const Place& place, int first, const Vector* values) const {
    // Times zero they are NaN, which a sum keeps.
    Vector sums[2] = {};
    GK_UNROLL for (int i = 0; i < kSlice * kTiles; ++i) {
      sums[i % 2] = multiply_add(values[i], broadcast(0.0f), sums[i % 2]);
    }
    constexpr int kNan = 0x81;
    if (_mm512_fpclass_ps_mask(sums[0] + sums[1], kNan)) mark_each(place, first, values);
  }

  __attribute__((noinline)) void mark_each(const Place& place, int first,
                                           const Vector* values) const {
    constexpr int kNanOrInfinite = 0x99;
    uint32_t strange[kSlice] = {};
    GK_UNROLL for (int i = 0; i < kSlice * kTiles; ++i) {
      const auto columns = static_cast<__mmask16>(place.wanted >> 16 * (i % kTiles));
      strange[i / kTiles] |= _mm512_mask_fpclass_ps_mask(columns, values[i], kNanOrInfinite);
    }
    for (int i = 0; i < kSlice && first + i < place.images; ++i) {
      if (strange[i]) mark_not_finite(place.finite + first + i);
    }
  }

  template <class Element, class Columns>
  GK_INLINE void store_any(const Place& place, int first, Element* to,
                           const Columns* values) const {
    if constexpr (kStraight) {
      store_straight(place, first, to, values);
    } else {
      store(place, to, values);
    }
  }

  // Absent images of a slice are staged too: nobody reads them there.
  template <class Element, class Columns>
  GK_INLINE void store(const Place& place, Element* to, const Columns* values) const {
    const RowRun* const end = stage.runs + stage.run_count;
    for (const RowRun* run = stage.runs; run < end; ++run) {
      const auto columns = static_cast<__mmask16>(place.wanted >> 16 * run->tile & run->columns);
      GK_UNROLL for (int i = 0; i < kSlice; ++i) {
        const Columns value = values[kTiles == 1 || run->tile == 0 ? i * kTiles : i * kTiles + 1];
        Element* const here = to + i * stage.image + run->offset;
        if constexpr (kBytes) {
          _mm_mask_storeu_epi8(here, columns, value);
        } else {
          _mm512_mask_storeu_ps(here, columns, value);
        }
      }
    }
  }

  // All columns of a panel lie side by side at the caller's, where absent images have no room.
  template <class Element, class Columns>
  GK_INLINE void store_straight(const Place& place, int first, Element* to,
                                const Columns* values) const {
    const int left = place.images - first;
    to += stage.runs->offset;
    GK_UNROLL for (int i = 0; i < kSlice; ++i) {
      if (i >= left) return;
      if constexpr (kBytes && kTiles == 2) {
        const __m256i both = _mm256_set_m128i(values[2 * i + 1], values[2 * i]);
        _mm256_mask_storeu_epi8(to + i * stage.image, place.wanted, both);
      } else {
        GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
          Element* const here = to + i * stage.image + 16 * tile;
          const auto columns = static_cast<__mmask16>(place.wanted >> 16 * tile);
          if constexpr (kBytes) {
            _mm_mask_storeu_epi8(here, columns, values[i]);
          } else {
            _mm512_mask_storeu_ps(here, columns, values[i * kTiles + tile]);
          }
        }
      }
    }
  }
};

template <int kTiles, bool kBytes, bool kStraight>
void walk_to_stage(const RowTask& task, const RowStage& stage) {
  using Finish = ToStage<kTiles, kBytes, kStraight>;
  Walk<kTiles, Finish>(task, Finish{&task, stage}).run();
}

template <int kTiles>
void to_stage_of(const RowTask& task, const RowStage& stage) {
  if (stage.bytes) {
    stage.straight ? walk_to_stage<kTiles, true, true>(task, stage)
                   : walk_to_stage<kTiles, true, false>(task, stage);
  } else {
    stage.straight ? walk_to_stage<kTiles, false, true>(task, stage)
                   : walk_to_stage<kTiles, false, false>(task, stage);
  }
}

void to_stage(const RowTask& task, const RowStage& stage) {
  task.panel.tiles == 2 ? to_stage_of<2>(task, stage) : to_stage_of<1>(task, stage);
}

}  // namespace
}  // namespace gk
