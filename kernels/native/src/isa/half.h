// float16 by its bits, for weights that are the same number in it.

#pragma once

#include <cstdint>
#include <cstring>

namespace gk {

// Sets `half` to the bits of a number that float16 holds exactly; false for any other.
inline bool exact_half(float value, uint16_t& half) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  // 2^-14 .. 65504 has 10 bits of mantissa; below, numbers are multiples of 2^-24.
  constexpr uint32_t kLeastNormal = 113u << 23;
  constexpr uint32_t kMost = 0x477fe000;
  if (magnitude > kMost) return false;
  if (magnitude >= kLeastNormal) {
    if (magnitude & 0x1fff) return false;
    half = static_cast<uint16_t>(sign | (magnitude - (112u << 23)) >> 13);
    return true;
  }
  const float steps = (sign ? -value : value) * 16777216.0f;
  const auto whole = static_cast<uint32_t>(steps);
  if (static_cast<float>(whole) != steps) return false;
  half = static_cast<uint16_t>(sign | whole);
  return true;
}

}  // namespace gk
