// uint8 levels of numbers, as engine.images.to_uint8 makes them. For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

// value * scale, rounded, plus offset, rounded, to the nearest even integer of 0 .. 255, in the
// lowest 8 bits; bits above them are to be ignored. NaN is 0.
GK_INLINE Integers to_uint8(Vector value, Vector scale, Vector offset) {
  const Vector level = rounded(value * scale) + offset;
  // Adding 1.5 * 2^23 leaves the integer in the lowest bits.
  return bits_of(clamped(level, Vector{}, broadcast(255.0f)) + broadcast(12582912.0f));
}

}  // namespace
}  // namespace gk
