// bfloat16 numbers as float32 vectors: the upper halves of float32, rounded to nearest even.
// For FAMILY/kernels.cpp only.

#pragma once

#include "isa/round_bfloat16.h"
#include "isa/vector.h"

namespace gk {
namespace {

typedef uint16_t Halves __attribute__((vector_size(GK_VECTOR_BYTES / 2), aligned(2), may_alias));

GK_INLINE Vector load_bfloat16(const uint16_t* from) {
  const Halves halves = *reinterpret_cast<const Halves*>(from);
  return of_bits(shift_left(__builtin_convertvector(halves, Integers), 16));
}

GK_INLINE void store_bfloat16(uint16_t* to, Vector value) {
  const Unsigned bits = round_bfloat16(value, reinterpret_cast<Unsigned>(value));
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(bits, Halves);
}

}  // namespace
}  // namespace gk
