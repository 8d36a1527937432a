// What is told of an image with a number that is not finite. For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

// Several workers may clear the flag of an image.
inline void mark_not_finite(uint8_t* finite) {
  __atomic_store_n(finite, uint8_t{0}, __ATOMIC_RELAXED);
}

// A number less itself is zero, or NaN if it is not finite; NaN stays in a sum.
GK_INLINE bool all_finite(const float* numbers, int count) {
  constexpr int kChains = 4;  // sums that do not wait for each other
  Vector sums[kChains] = {};
  int i = 0;
  for (; i + kChains * kVector <= count; i += kChains * kVector) {
    GK_UNROLL for (int chain = 0; chain < kChains; ++chain) {
      const Vector value = load_unaligned(numbers + i + chain * kVector);
      sums[chain] += value - value;
    }
  }
  for (; i < count; i += kVector) {
    const int left = count - i < kVector ? count - i : kVector;
    const Vector value =
        left == kVector ? load_unaligned(numbers + i) : load_some(numbers + i, left);
    sums[0] += value - value;
  }
  const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float all = 0;
  for (int lane = 0; lane < kVector; ++lane) all += sum[lane];
  return all == 0.0f;
}

}  // namespace
}  // namespace gk
