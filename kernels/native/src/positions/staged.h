// bfloat16 products on AMX tiles: rows of a block are gathered once for all panels. The calling
// thread has configured 8 tiles of 16 rows of 64 bytes. For positions/kernels.cpp only.

#pragma once

#if defined(__AMX_BF16__)

#include "positions/finish.h"
#include "positions/shares.h"
#include "positions/tiles.h"

namespace gk {
namespace {

// A block of rows [taps][words / 16][kRows * 16][16], and the panels it meets.
struct StagedProduct {
  const uint32_t* stage;
  const int32_t* taps;
  int tap_count;
  int words;
  const uint32_t* weights;  // of the first panel
  int64_t panel_words;
  const float* shift;
  float* sums;  // [rows][panels * width]
};

template <int kRows, int kPanels, int kVectors>
void multiply_staged(const StagedProduct& product) {
  using Tiles = Sums<kRows, kPanels, kVectors>;
  constexpr int kStep = kTileWords * Tiles::kWidth;
  Tiles::begin(product.shift);
  const uint32_t* rows = product.stage;
  for (int t = 0; t < product.tap_count; ++t) {
    const uint32_t* weights =
        product.weights + static_cast<int64_t>(product.taps[t]) * product.words * Tiles::kWidth;
    for (int k = 0; k < product.words; k += kTileWords) {
      prefetch_weights<kPanels, kVectors>(weights, product.panel_words);
      Tiles::add(rows, rows + kRowsOfTile * kTileWords, kTileRowBytes, weights,
                 product.panel_words);
      rows += kRows * kRowsOfTile * kTileWords;
      weights += kStep;
    }
  }
  Tiles::end(product.sums);
}

void multiply_staged_any(int rows, int panels, int vectors, const StagedProduct& product) {
  if (vectors == 1) {
    return rows == 1 ? multiply_staged<1, 1, 1>(product) : multiply_staged<2, 1, 1>(product);
  }
  if (rows == 2) return multiply_staged<2, 1, 2>(product);
  return panels == 2 ? multiply_staged<1, 2, 2>(product) : multiply_staged<1, 1, 2>(product);
}

// Gathers rows first .. first + rows - 1 of a class into `tiles` tiles of rows.
void gather(const PositionLayer& layer, const PositionCall& call, const PositionClass& from,
            int first, int rows, int tiles) {
  const int across = tiles * kRowsOfTile;
  Row row(from, first);
  for (int r = 0; r < rows; ++r, row.next()) {
    const int32_t* places = from.places + static_cast<int64_t>(row.anchor) * from.tap_count;
    const uint32_t* base = call.input + row.image * layer.input_words;
    uint32_t* to = call.stage + r * kTileWords;
    for (int t = 0; t < from.tap_count; ++t) {
      const uint32_t* words = base + (places[t] < 0 ? 0 : places[t]) * layer.position_words;
      for (int k = 0; k < layer.words; k += kTileWords, to += across * kTileWords) {
        const Vector piece = places[t] < 0
                                 ? Vector{}
                                 : load_unaligned(reinterpret_cast<const float*>(words + k));
        store(reinterpret_cast<float*>(to), piece);
      }
    }
  }
}

// Parts of the map, each of which all classes go over before the next: neighbouring outputs, which
// are of several classes, are then stored while they are in the second cache.
int stage_parts(const PositionLayer& layer, int images) {
  constexpr int64_t kPartBytes = 512 * 1024;
  const int64_t parts = image_bytes(layer) * images / kPartBytes;
  return layer.class_count == 1 || parts < 1 ? 1 : static_cast<int>(parts);
}

// The first row of a part, which begins a block.
int part_start(const PositionClass& rows, int images, int part, int parts) {
  const int64_t all = static_cast<int64_t>(rows.rows) * images;
  if (part == parts) return static_cast<int>(all);
  return static_cast<int>(all * part / parts / kBlockRows * kBlockRows);
}

void run_staged(const PositionLayer& layer, const PositionCall& call) {
  alignas(64) float sums[kBlockSums];
  const int width = layer.vectors * kVector;
  Shares shares(work_of(layer) * call.images * layer.panels, call.part, call.parts);
  StagedProduct product;
  product.stage = call.stage;
  product.words = layer.words;
  product.panel_words = static_cast<int64_t>(layer.taps) * layer.words * width;
  product.sums = sums;
  const int64_t bytes = position_bytes(layer);
  const int parts = stage_parts(layer, call.images);
  for (int turn = 0; turn < parts * layer.class_count; ++turn) {
    const PositionClass& rows = layer.classes[turn % layer.class_count];
    const int part = turn / layer.class_count;
    product.taps = rows.taps;
    product.tap_count = rows.tap_count;
    const int end = part_start(rows, call.images, part + 1, parts);
    for (int first = part_start(rows, call.images, part, parts); first < end;
         first += kBlockRows) {
      const int count = end - first < kBlockRows ? end - first : kBlockRows;
      const int tiles = count > kRowsOfTile ? 2 : 1;
      bool gathered = false;
      for (int panel = 0; panel < layer.panels;) {
        const int beside = tiles == 1 && layer.panels - panel > 1 && layer.vectors == 2 ? 2 : 1;
        const Tile tile{0, panel, beside, first, count};
        panel += beside;
        if (!shares.take(work_of(rows) * count * beside)) continue;
        if (!gathered) gather(layer, call, rows, first, count, tiles);
        gathered = true;
        prefetch_tile(layer, call, rows, tile, bytes);
        product.weights = layer.weights + tile.panel * product.panel_words;
        product.shift = layer.shift + static_cast<int64_t>(tile.panel) * width;
        multiply_staged_any(tiles, beside, layer.vectors, product);
        finish_tile(layer, call, rows, tile, sums);
      }
    }
  }
}

}  // namespace
}  // namespace gk

#endif
