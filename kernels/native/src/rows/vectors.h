// Products by VDPBF16PS, for processors with AVX512_BF16 and without AMX; the panels are those of
// the tiles. For kernels.cpp only.

#pragma once

#include <string.h>

#include "isa/vector.h"
#include "rows/kernels.h"

namespace gk {
namespace {

GK_INLINE __m512bh load_pairs(const uint16_t* from) { return (__m512bh)_mm512_load_si512(from); }

GK_INLINE __m512bh broadcast_pair(const uint16_t* from) {
  int32_t pair;
  memcpy(&pair, from, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}

// Sums of kRows x kTiles blocks of 16 x 16, in pieces that fit the registers.
template <int kRows, int kTiles>
struct Product {
  static constexpr int kImages = kRowImages / kTiles;
  static constexpr int kPieces = kRows * kTiles;

  __m512 sums[kImages][kTiles];
  int row;
  int image;

  GK_INLINE void begin(int piece, const float* shift) {
    row = piece / kTiles;
    image = piece % kTiles * kImages;
    GK_UNROLL for (int i = 0; i < kImages; ++i) {
      GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
        sums[i][tile] = _mm512_load_ps(shift + 16 * tile);
      }
    }
  }

  GK_INLINE void add(const uint16_t* const (&from)[kRows], int64_t at, const uint16_t* weights) {
    const uint16_t* images = from[row] + at + image * kRowChannels;
    for (int pair = 0; pair < kRowChannels / 2; ++pair) {
      __m512bh columns[kTiles];
      GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
        columns[tile] = load_pairs(weights + tile * 512 + pair * 32);
      }
      GK_UNROLL for (int i = 0; i < kImages; ++i) {
        const __m512bh pairs = broadcast_pair(images + i * kRowChannels + 2 * pair);
        GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
          sums[i][tile] = _mm512_dpbf16_ps(sums[i][tile], pairs, columns[tile]);
        }
      }
    }
  }

  // To [row][tile][16 images][16 columns].
  GK_INLINE void end(float* to) const {
    GK_UNROLL for (int i = 0; i < kImages; ++i) {
      GK_UNROLL for (int tile = 0; tile < kTiles; ++tile) {
        _mm512_store_ps(to + (row * kTiles + tile) * 256 + (image + i) * 16, sums[i][tile]);
      }
    }
  }
};

}  // namespace
}  // namespace gk
