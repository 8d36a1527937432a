// Groups of one channel: a weight meets one row of images, so rows are what bounds it, and channels
// are walked in order. For kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "lanes/kernels.h"

namespace gk {
namespace {

template <int kVectors>
void multiply_channels(const LaneDepthwise& product) {
  for (int channel = 0; channel < product.channels; ++channel) {
    const int64_t row = channel * product.row_stride;
    Vector sums[kVectors];
    GK_UNROLL for (int j = 0; j < kVectors; ++j) sums[j] = broadcast(product.shift[channel]);
    for (int term = 0; term < product.term_count; ++term) {
      const Vector weight = broadcast(product.terms[term].panel[channel]);
      const float* rows = product.terms[term].rows + row;
      GK_UNROLL for (int j = 0; j < kVectors; ++j) {
        sums[j] = multiply_add(load(rows + j * kVector), weight, sums[j]);
      }
    }
    GK_UNROLL for (int j = 0; j < kVectors; ++j) {
      store(product.columns + row + j * kVector,
            activate(product.activation, product.alpha, sums[j]));
    }
  }
}

void multiply_depthwise(const LaneDepthwise& product) {
  switch (product.vectors) {
    case 1:
      return multiply_channels<1>(product);
    case 2:
      return multiply_channels<2>(product);
    default:
      return multiply_channels<3>(product);
  }
}

}  // namespace
}  // namespace gk
