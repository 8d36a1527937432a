// bfloat16 numbers as float32 vectors: the upper halves of float32, rounded to nearest even.
// For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

typedef uint16_t Halves __attribute__((vector_size(GK_VECTOR_BYTES / 2), aligned(2), may_alias));

GK_INLINE Vector load_bfloat16(const uint16_t* from) {
  const Halves halves = *reinterpret_cast<const Halves*>(from);
  return of_bits(shift_left(__builtin_convertvector(halves, Integers), 16));
}

// NaN stays NaN: its lowest kept bit is set, lest it round to infinity.
GK_INLINE Unsigned to_bfloat16(Vector value) {
  const Unsigned bits = reinterpret_cast<Unsigned>(value);
  const Unsigned nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return value == value ? nearest : (bits >> 16) | 0x40u;
}

GK_INLINE void store_bfloat16(uint16_t* to, Vector value) {
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(to_bfloat16(value), Halves);
}

}  // namespace
}  // namespace gk
