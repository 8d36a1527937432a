// Philox4x32-10, the words of kernels/philox.py (Salmon, Moraes, Dror, Shaw: Parallel random
// numbers: as easy as 1, 2, 3, 2011).

#include <cstdint>

#include "../include/generator_kernels.h"

namespace {

constexpr int kRounds = 10;

struct Block {
  uint32_t word[4];
};

inline Block round_of(const Block& block, uint32_t key0, uint32_t key1) {
  const uint64_t product0 = uint64_t{0xD2511F53} * block.word[0];
  const uint64_t product1 = uint64_t{0xCD9E8D57} * block.word[2];
  return {{static_cast<uint32_t>(product1 >> 32) ^ block.word[1] ^ key0,
           static_cast<uint32_t>(product1),
           static_cast<uint32_t>(product0 >> 32) ^ block.word[3] ^ key1,
           static_cast<uint32_t>(product0)}};
}

}  // namespace

extern "C" void gk_philox(uint64_t seed, uint64_t start, int64_t samples, int64_t blocks,
                          uint32_t stream, uint32_t* words) {
  for (int64_t i = 0; i < samples; ++i) {
    const uint64_t sample = start + static_cast<uint64_t>(i);
    for (int64_t b = 0; b < blocks; ++b) {
      Block block{{static_cast<uint32_t>(b), static_cast<uint32_t>(sample),
                   static_cast<uint32_t>(sample >> 32), stream}};
      uint32_t key0 = static_cast<uint32_t>(seed);
      uint32_t key1 = static_cast<uint32_t>(seed >> 32);
      for (int n = 0; n < kRounds; ++n) {
        block = round_of(block, key0, key1);
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
      }
      for (const uint32_t word : block.word) *words++ = word;
    }
  }
}
