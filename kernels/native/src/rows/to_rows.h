// Sums become bfloat16 rows, after the activation. For kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "rows/walk.h"

namespace gk {
namespace {

template <Activation kActivation, int kTiles>
struct ToRows {
  const RowTask& task;
  const RowBlock& out;

  void operator()(const RowUnit& unit, const float* sums) const {
    int64_t position = unit.sites[0]->output;
    for (int axis = 1; axis < 3; ++axis) {
      position = position * out.axes[axis] + unit.sites[axis]->output;
    }
    uint16_t* to = out.data + ((position * out.blocks + out.block) * task.capacity + unit.image) *
                                  kRowChannels;
    // Columns that do not exist are zero, whatever the activation makes of zero.
    const __mmask32 columns = task.panel.columns;
    const float alpha = task.alpha;
    GK_UNROLL for (int image = 0; image < kRowImages; ++image) {
      const Vector low = activate(kActivation, alpha, load(sums + image * 16));
      Vector high = {};
      if constexpr (kTiles == 2) high = activate(kActivation, alpha, load(sums + 256 + image * 16));
      const __m512bh both = _mm512_maskz_cvtne2ps_pbh(columns, high, low);
      _mm512_store_si512(to + image * kRowChannels, (__m512i)both);
    }
  }
};

template <Activation kActivation>
void to_rows_with(const RowTask& task, const RowBlock& out) {
  if (task.panel.tiles == 2) {
    const ToRows<kActivation, 2> finish{task, out};
    Walk<2, ToRows<kActivation, 2>>(task, finish).run();
  } else {
    const ToRows<kActivation, 1> finish{task, out};
    Walk<1, ToRows<kActivation, 1>>(task, finish).run();
  }
}

void to_rows(const RowTask& task, const RowBlock& out) {
  switch (task.activation) {
    case Activation::kNone:
      return to_rows_with<Activation::kNone>(task, out);
    case Activation::kRelu:
      return to_rows_with<Activation::kRelu>(task, out);
    case Activation::kLeakyRelu:
      return to_rows_with<Activation::kLeakyRelu>(task, out);
    case Activation::kTanh:
      return to_rows_with<Activation::kTanh>(task, out);
    case Activation::kSigmoid:
      return to_rows_with<Activation::kSigmoid>(task, out);
  }
}

}  // namespace
}  // namespace gk
