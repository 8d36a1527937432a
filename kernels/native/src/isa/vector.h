// Vectors of float32 as wide as the instruction set of the translation unit, by the compiler's vector
// extension: one source for every width. For FAMILY/kernels.cpp only.

#pragma once

#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define GK_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define GK_VECTOR_BYTES 32
#else
#define GK_VECTOR_BYTES 16
#endif

#define GK_INLINE inline __attribute__((always_inline))
#define GK_UNROLL _Pragma("GCC unroll 32")

namespace gk {
namespace {

typedef float Vector __attribute__((vector_size(GK_VECTOR_BYTES)));
typedef int32_t Integers __attribute__((vector_size(GK_VECTOR_BYTES)));
typedef float Unaligned __attribute__((vector_size(GK_VECTOR_BYTES), aligned(4), may_alias));
typedef float Aligned __attribute__((vector_size(GK_VECTOR_BYTES), may_alias));

constexpr int kVector = GK_VECTOR_BYTES / 4;

GK_INLINE Vector load(const float* from) { return *reinterpret_cast<const Aligned*>(from); }
GK_INLINE Vector load_unaligned(const float* from) {
  return *reinterpret_cast<const Unaligned*>(from);
}
GK_INLINE void store(float* to, Vector value) { *reinterpret_cast<Aligned*>(to) = value; }
GK_INLINE void store_unaligned(float* to, Vector value) {
  *reinterpret_cast<Unaligned*>(to) = value;
}
GK_INLINE Vector broadcast(float value) { return value - Vector{}; }
// a * b + c, fused where the instruction set can.
GK_INLINE Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
GK_INLINE Vector select(Integers condition, Vector yes, Vector no) {
  return condition ? yes : no;
}
// NaN in `value` stays: comparisons with it are false.
GK_INLINE Vector at_least(Vector value, Vector low) { return select(value < low, low, value); }
GK_INLINE Vector at_most(Vector value, Vector high) { return select(value > high, high, value); }

}  // namespace
}  // namespace gk
