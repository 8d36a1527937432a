// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, 2011) on
// as many counters as a vector has lanes of 64 bits. For random/kernels.cpp only.

#pragma once

#include "isa/doubles.h"

namespace gk {
namespace {

constexpr int kRounds = 10;

struct Keys {
  Longs low[kRounds];
  Longs high[kRounds];
};

GK_INLINE Keys round_keys(uint64_t seed) {
  Keys keys;
  uint32_t low = static_cast<uint32_t>(seed);
  uint32_t high = static_cast<uint32_t>(seed >> 32);
  for (int n = 0; n < kRounds; ++n) {
    keys.low[n] = longs(low);
    keys.high[n] = longs(high);
    low += 0x9E3779B9;
    high += 0xBB67AE85;
  }
  return keys;
}

// The words of a counter in the lower halves of the lanes; the upper halves hold anything.
struct Columns {
  Longs word[4];
};

GK_INLINE Columns philox(Columns c, const Keys& keys) {
  GK_UNROLL
  for (int n = 0; n < kRounds; ++n) {
    const Longs product0 = multiply_low_halves(c.word[0], longs(0xD2511F53));
    const Longs product1 = multiply_low_halves(c.word[2], longs(0xCD9E8D57));
    c.word[0] = (product1 >> 32) ^ c.word[1] ^ keys.low[n];
    c.word[2] = (product0 >> 32) ^ c.word[3] ^ keys.high[n];
    c.word[1] = product1;
    c.word[3] = product0;
  }
  return c;
}

}  // namespace
}  // namespace gk
