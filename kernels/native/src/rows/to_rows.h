// Sums become bfloat16 rows, after the activation. For kernels.cpp only.

#pragma once

#include "rows/activate_all.h"
#include "rows/walk.h"

namespace gk {
namespace {

// kRelu: the activation is that one, else `activation`.
template <int kTiles, bool kRelu>
struct ToRows {
  using Place = uint16_t*;  // of the unit's images
  static constexpr int kSlice = 4;

  const RowTask* task;
  const RowBlock* out;
  uint32_t columns;

  Place place(const RowUnit& unit) const {
    int64_t position = unit.sites[0]->output;
    for (int axis = 1; axis < 3; ++axis) {
      position = position * out->axes[axis] + unit.sites[axis]->output;
    }
    return out->data + ((position * out->blocks + out->block) * task->capacity + unit.image) *
                           kRowChannels;
  }

  GK_INLINE void images(Place to, unsigned first, const float* sums) const {
    const Activation activation = kRelu ? Activation::kRelu : task->activation;
    GK_UNROLL for (unsigned i = 0; i < kSlice; ++i) {
      Vector values[2] = {};
      GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
        values[tile] = load(sums + tile * 256 + i * 16);
      }
      activate_all<kTiles>(activation, task->alpha, values);
      // Columns that do not exist are zero, whatever the activation makes of zero.
      const __m512bh both = _mm512_maskz_cvtne2ps_pbh(columns, values[1], values[0]);
      _mm512_store_si512(to + (first + i) * kRowChannels, (__m512i)both);
    }
  }
};

template <int kTiles>
void to_rows_of(const RowTask& task, const RowBlock& out) {
  if (task.activation == Activation::kRelu) {
    const ToRows<kTiles, true> finish{&task, &out, task.panel.columns};
    Walk<kTiles, ToRows<kTiles, true>>(task, finish).run();
  } else {
    const ToRows<kTiles, false> finish{&task, &out, task.panel.columns};
    Walk<kTiles, ToRows<kTiles, false>>(task, finish).run();
  }
}

void to_rows(const RowTask& task, const RowBlock& out) {
  task.panel.tiles == 2 ? to_rows_of<2>(task, out) : to_rows_of<1>(task, out);
}

}  // namespace
}  // namespace gk
