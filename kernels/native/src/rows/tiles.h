// Products on AMX tiles: 16 images x 32 channels times 32 channels x 16 columns. The calling thread
// has configured 8 tiles of 16 rows of 64 bytes. For kernels.cpp only.

#pragma once

#include "isa/amx.h"
#include "rows/kernels.h"

namespace gk {
namespace {

// Sums of kRows x kTiles tiles. Tiles 0 to 3 sum, 4 and 5 hold images, 6 and 7 weights.
template <int kRows, int kTiles>
struct Product {
  static_assert(kRows * kTiles <= 4 && kTiles <= 2);
  static constexpr int kPieces = 1;

  GK_INLINE void begin(int, const float* shift) {
    load_tile<0>(shift, 0);
    if constexpr (kTiles == 2) {
      load_tile<1>(shift + 16, 0);
      if constexpr (kRows > 1) load_tile<2>(shift, 0), load_tile<3>(shift + 16, 0);
    } else {
      if constexpr (kRows > 1) load_tile<1>(shift, 0);
      if constexpr (kRows > 2) load_tile<2>(shift, 0);
      if constexpr (kRows > 3) load_tile<3>(shift, 0);
    }
  }

  // `from` has the images of each row, `weights` tiles one after the other. All loads come
  // first: an order as good as any of 60 that were tried.
  GK_INLINE void add(const uint16_t* const (&from)[kRows], int64_t at, const uint16_t* weights) {
    load_tile<4>(from[0] + at, 64);
    load_tile<6>(weights, 64);
    if constexpr (kTiles == 2) {
      load_tile<7>(weights + 512, 64);
      if constexpr (kRows > 1) load_tile<5>(from[1] + at, 64);
      multiply_tiles<0, 4, 6>();
      multiply_tiles<1, 4, 7>();
      if constexpr (kRows > 1) multiply_tiles<3, 5, 7>(), multiply_tiles<2, 5, 6>();
      return;
    }
    if constexpr (kRows > 1) load_tile<5>(from[1] + at, 64);
    if constexpr (kRows > 2) load_tile<7>(from[2] + at, 64);
    multiply_tiles<0, 4, 6>();
    if constexpr (kRows > 1) multiply_tiles<1, 5, 6>();
    if constexpr (kRows > 2) multiply_tiles<2, 7, 6>();
    if constexpr (kRows > 3) {
      load_tile<4>(from[3] + at, 64);
      multiply_tiles<3, 4, 6>();
    }
  }

  // To [row][tile][16 images][16 columns].
  GK_INLINE void end(float* sums) const {
    store_tile<0>(sums, kTileRowBytes);
    if constexpr (kRows * kTiles > 1) store_tile<1>(sums + 256, kTileRowBytes);
    if constexpr (kRows * kTiles > 2) store_tile<2>(sums + 512, kTileRowBytes);
    if constexpr (kRows * kTiles > 3) store_tile<3>(sums + 768, kTileRowBytes);
  }
};

}  // namespace
}  // namespace gk
