// The one rounding of float32 to bfloat16.

#pragma once

#include <stdint.h>

namespace gk {
namespace {

// `bits` are those of `value`; vectors or numbers. To the nearest, ties to even. NaN stays NaN: its
// lowest kept bit is set, lest it round to infinity.
template <class Float, class Unsigned>
inline __attribute__((always_inline)) Unsigned round_bfloat16(Float value, Unsigned bits) {
  const Unsigned nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return value == value ? nearest : (bits >> 16) | 0x40u;
}

inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>(round_bfloat16(value, bits));
}

}  // namespace
}  // namespace gk
