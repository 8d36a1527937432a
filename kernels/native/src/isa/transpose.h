// Square blocks of float32 turned in registers. For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

// The lower, or the upper, halves of two vectors, number by number in turn.
GK_INLINE Vector interleave_low(Vector a, Vector b) {
#if GK_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif GK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}
GK_INLINE Vector interleave_high(Vector a, Vector b) {
#if GK_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
#elif GK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#endif
}

// Turns rows[i][j] to rows[j][i]: log2(kVector) perfect shuffles of the rows' numbers.
GK_INLINE void transpose(Vector (&rows)[kVector]) {
  for (int step = 1; step < kVector; step *= 2) {
    Vector next[kVector];
    GK_UNROLL
    for (int i = 0; i < kVector / 2; ++i) {
      next[2 * i] = interleave_low(rows[i], rows[i + kVector / 2]);
      next[2 * i + 1] = interleave_high(rows[i], rows[i + kVector / 2]);
    }
    GK_UNROLL
    for (int i = 0; i < kVector; ++i) rows[i] = next[i];
  }
}

}  // namespace
}  // namespace gk
