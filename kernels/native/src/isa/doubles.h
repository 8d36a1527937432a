// Vectors of float64 as wide as the instruction set, and of as many 32-bit numbers.
// For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

typedef double Doubles __attribute__((vector_size(GK_VECTOR_BYTES)));
typedef uint64_t Longs __attribute__((vector_size(GK_VECTOR_BYTES)));
typedef int64_t Mask __attribute__((vector_size(GK_VECTOR_BYTES)));
typedef float Singles __attribute__((vector_size(GK_VECTOR_BYTES / 2)));
typedef int32_t Halves32 __attribute__((vector_size(GK_VECTOR_BYTES / 2)));

constexpr int kDoubles = GK_VECTOR_BYTES / 8;

GK_INLINE Doubles doubles(double value) { return value - Doubles{}; }
GK_INLINE Longs longs(uint64_t value) { return value - Longs{}; }
GK_INLINE Longs long_bits(Doubles value) { return reinterpret_cast<Longs>(value); }
GK_INLINE Doubles of_long_bits(Longs bits) { return reinterpret_cast<Doubles>(bits); }
GK_INLINE Doubles widened(Singles value) { return __builtin_convertvector(value, Doubles); }
GK_INLINE Singles narrowed(Doubles value) { return __builtin_convertvector(value, Singles); }

GK_INLINE bool any(Mask mask) {
  int64_t found = 0;
  for (int i = 0; i < kDoubles; ++i) found |= mask[i];
  return found != 0;
}

// Products [64 bit] of the lower halves of both.
GK_INLINE Longs multiply_low_halves(Longs a, Longs b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Longs>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Longs>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<Longs>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

GK_INLINE Doubles square_root(Doubles value) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_pd(0xff, value);
#elif defined(__AVX2__)
  return _mm256_sqrt_pd(value);
#elif defined(__SSE2__)
  return _mm_sqrt_pd(value);
#else
  for (int i = 0; i < kDoubles; ++i) value[i] = __builtin_sqrt(value[i]);
  return value;
#endif
}

}  // namespace
}  // namespace gk
