// Tiles of sums, and how weights reach them. The calling thread has configured 8 AMX tiles of 16
// rows of 64 bytes. For positions/kernels.cpp only.

#pragma once

#if defined(__AMX_BF16__)

#include "isa/amx.h"

namespace gk {
namespace {

constexpr int kRowsOfTile = 16;
constexpr int kTileWords = 16;
constexpr int kAheadSteps = 4;  // of 16 words, that weights are fetched before their use

// kRows x kPanels x kVectors tiles of sums, at most 4: tile (row * kPanels + panel) * kVectors +
// vector. Tile 4 or 5 holds rows, 6 or 7 weights.
template <int kRows, int kPanels, int kVectors>
struct Sums {
  static_assert(kRows * kPanels * kVectors <= 4 && kRows <= 2);
  static constexpr int kWidth = kVectors * kVector;
  static constexpr int kColumns = kPanels * kVectors;

  template <int kColumn, class Each>
  GK_INLINE static void columns(const Each& each) {
    if constexpr (kColumn < kColumns) {
      each(Index<kColumn>{});
      columns<kColumn + 1>(each);
    }
  }
  template <int k>
  struct Index {
    static constexpr int value = k;
  };

  GK_INLINE static void begin(const float* shift) {
    columns<0>([&](auto index) {
      constexpr int kColumn = decltype(index)::value;
      load_tile<kColumn>(shift + kColumn * kVector, 0);
      if constexpr (kRows == 2) load_tile<kColumns + kColumn>(shift + kColumn * kVector, 0);
    });
  }

  // 16 words of rows that lie `row_bytes` apart, from `below` on those of the second tile, and the
  // weights of these words.
  GK_INLINE static void add(const uint32_t* rows, const uint32_t* below, int64_t row_bytes,
                            const uint32_t* weights, int64_t panel_words) {
    load_tile<4>(rows, row_bytes);
    if constexpr (kRows == 2) load_tile<5>(below, row_bytes);
    columns<0>([&](auto index) {
      constexpr int kColumn = decltype(index)::value;
      constexpr int kWeights = 6 + kColumn % 2;
      load_tile<kWeights>(
          weights + kColumn / kVectors * panel_words + kColumn % kVectors * kVector, kWidth * 4);
      multiply_tiles<kColumn, 4, kWeights>();
      if constexpr (kRows == 2) multiply_tiles<kColumns + kColumn, 5, kWeights>();
    });
  }

  GK_INLINE static void end(float* sums) {
    constexpr int64_t kAcross = kColumns * kVector;
    columns<0>([&](auto index) {
      constexpr int kColumn = decltype(index)::value;
      store_tile<kColumn>(sums + kColumn * kVector, kAcross * 4);
      if constexpr (kRows == 2) {
        float* below = sums + kRowsOfTile * kAcross;
        store_tile<kColumns + kColumn>(below + kColumn * kVector, kAcross * 4);
      }
    });
  }

  // Every tile to a place of its own, [rows][columns], with so many bytes from row to row.
  GK_INLINE static void end(float* const* places, int64_t row_bytes) {
    columns<0>([&](auto index) {
      constexpr int kColumn = decltype(index)::value;
      store_tile<kColumn>(places[kColumn], row_bytes);
      if constexpr (kRows == 2) {
        store_tile<kColumns + kColumn>(places[kColumns + kColumn], row_bytes);
      }
    });
  }
};

// Weights come from further away than rows.
template <int kPanels, int kVectors>
GK_INLINE void prefetch_weights(const uint32_t* weights, int64_t panel_words) {
  constexpr int kStep = kTileWords * kVectors * kVector;
  for (int p = 0; p < kPanels; ++p) {
    const uint32_t* ahead = weights + p * panel_words + kAheadSteps * kStep;
    GK_UNROLL for (int line = 0; line < kTileWords * kVectors; ++line) {
      __builtin_prefetch(ahead + line * kTileWords, 0, 2);
    }
  }
}

}  // namespace
}  // namespace gk

#endif
