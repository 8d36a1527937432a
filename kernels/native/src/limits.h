// The most of each thing that a caller may ask for: far beyond real networks, so that a mistake is
// told instead of running out of memory, and so that what is reckoned from them fits its integers.

#pragma once

#include <cstdint>
#include <limits>

namespace gk {

constexpr int kMostThreads = 1024;
constexpr int kMostCapacity = 1 << 16;
constexpr int kMostArguments = 1024;                // inputs, and outputs, of the caller
constexpr int kMostChannels = 1 << 24;              // of a layer
constexpr int64_t kMostBytes = int64_t{1} << 48;    // of a value, and of an arena
constexpr int64_t kMostPlanned = int64_t{1} << 24;  // places that an operation lists
constexpr int64_t kMostTaps = int64_t{1} << 26;     // taps of all of them, if those are listed
constexpr int64_t kMostPairs = int64_t{1} << 28;    // of an output and a tap, along an axis

// a * b of numbers that are not negative, or the largest number where it is beyond that.
inline int64_t multiplied(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

}  // namespace gk
