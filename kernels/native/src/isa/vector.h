// Vectors of float32 as wide as the instruction set of the translation unit, by the compiler's
// vector extension: one source for every width. For FAMILY/kernels.cpp only.

#pragma once

#include <stddef.h>
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
typedef uint32_t Unsigned __attribute__((vector_size(GK_VECTOR_BYTES)));
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
// Stores past the caches, whose lines are then not read first; `to` is aligned to the vector.
GK_INLINE void stream(float* to, Vector value) {
#if defined(__AVX512F__)
  _mm512_stream_ps(to, (__m512)value);
#elif defined(__AVX2__)
  _mm256_stream_ps(to, (__m256)value);
#else
  store(to, value);
#endif
}
// Before others are told of what was streamed.
GK_INLINE void stream_fence() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}
GK_INLINE Vector broadcast(float value) { return value - Vector{}; }
// The first `count` of a vector's numbers, 1 .. kVector; the others read as zero, and stay as they
// are in memory.
GK_INLINE Vector load_some(const float* from, int count) {
  float numbers[kVector] = {};
  __builtin_memcpy(numbers, from, sizeof(float) * static_cast<size_t>(count));
  return load_unaligned(numbers);
}
GK_INLINE void store_some(float* to, Vector value, int count) {
  float numbers[kVector];
  store_unaligned(numbers, value);
  __builtin_memcpy(to, numbers, sizeof(float) * static_cast<size_t>(count));
}
// The same with `stride` floats from one number to the next; 0 repeats the first.
GK_INLINE Vector load_strided(const float* from, int64_t stride, int count) {
  if (stride == 0) return broadcast(*from);
  if (stride == 1) return count == kVector ? load_unaligned(from) : load_some(from, count);
  Vector value = {};
  for (int i = 0; i < count; ++i) value[i] = from[i * stride];
  return value;
}
GK_INLINE void store_strided(float* to, int64_t stride, Vector value, int count) {
  if (stride == 1) {
    if (count == kVector) return store_unaligned(to, value);
    return store_some(to, value, count);
  }
  for (int i = 0; i < count; ++i) to[i * stride] = value[i];
}
GK_INLINE Integers bits_of(Vector value) { return reinterpret_cast<Integers>(value); }
GK_INLINE Vector of_bits(Integers bits) { return reinterpret_cast<Vector>(bits); }
// Bits moved up, those at the top lost; of negative numbers too.
GK_INLINE Integers shift_left(Integers bits, int count) {
  return reinterpret_cast<Integers>(reinterpret_cast<Unsigned>(bits) << count);
}
// a * b + c, fused where the instruction set can.
GK_INLINE Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
GK_INLINE Vector select(Integers condition, Vector yes, Vector no) {
  return condition ? yes : no;
}
// NaN in `value` stays: comparisons with it are false.
GK_INLINE Vector at_least(Vector value, Vector low) { return select(value < low, low, value); }
GK_INLINE Vector at_most(Vector value, Vector high) { return select(value > high, high, value); }
// Between low and high; NaN becomes low.
GK_INLINE Vector clamped(Vector value, Vector low, Vector high) {
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xffff, _mm512_maskz_max_ps(0xffff, value, low), high);
#elif defined(__AVX2__)
  return _mm256_min_ps(_mm256_max_ps(value, low), high);
#else
  return select(value > low, select(value > high, high, value), low);
#endif
}
// numpy's maximum and minimum: NaN on either side wins.
GK_INLINE Vector larger(Vector a, Vector b) { return select((a > b) | (a != a), a, b); }
GK_INLINE Vector smaller(Vector a, Vector b) { return select((a < b) | (a != a), a, b); }
GK_INLINE Vector magnitude(Vector value) { return of_bits(bits_of(value) & 0x7fffffff); }
GK_INLINE Vector square_root(Vector value) {
#if defined(__AVX512F__)
  return _mm512_maskz_sqrt_ps(0xffff, value);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(value);
#else
  for (int i = 0; i < kVector; ++i) value[i] = __builtin_sqrtf(value[i]);
  return value;
#endif
}
// A product that is rounded by itself, whatever it is added to. GCC's own __builtin_assoc_barrier
// takes vectors apart and builds them again, number by number.
GK_INLINE Vector rounded(Vector product) {
#if defined(__x86_64__) && defined(__AVX512F__)
  asm("" : "+v"(product));
#elif defined(__x86_64__)
  asm("" : "+x"(product));
#elif defined(__aarch64__)
  asm("" : "+w"(product));
#else
  product = __builtin_assoc_barrier(product);
#endif
  return product;
}

}  // namespace
}  // namespace gk
