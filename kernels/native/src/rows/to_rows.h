// Sums become bfloat16 rows, after the activation. For kernels.cpp only.

#pragma once

#include "rows/activate_all.h"
#include "rows/walk.h"

namespace gk {
namespace {

template <int kTiles>
struct ToRows {
  using Place = uint16_t*;  // of the unit's images

  const RowTask& task;
  const RowBlock& out;

  Place place(const RowUnit& unit) const {
    int64_t position = unit.sites[0]->output;
    for (int axis = 1; axis < 3; ++axis) {
      position = position * out.axes[axis] + unit.sites[axis]->output;
    }
    return out.data + ((position * out.blocks + out.block) * task.capacity + unit.image) *
                          kRowChannels;
  }

  GK_INLINE void image(Place to, int image, const float* sums) const {
    Vector values[2] = {};
    GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) values[tile] = load(sums + tile * 256);
    activate_all<kTiles>(task.activation, task.alpha, values);
    // Columns that do not exist are zero, whatever the activation makes of zero.
    const __m512bh both =
        _mm512_maskz_cvtne2ps_pbh(task.panel.columns, values[1], values[0]);
    _mm512_store_si512(to + image * kRowChannels, (__m512i)both);
  }
};

void to_rows(const RowTask& task, const RowBlock& out) {
  if (task.panel.tiles == 2) {
    const ToRows<2> finish{task, out};
    Walk<2, ToRows<2>>(task, finish).run();
  } else {
    const ToRows<1> finish{task, out};
    Walk<1, ToRows<1>>(task, finish).run();
  }
}

}  // namespace
}  // namespace gk
