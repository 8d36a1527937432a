// Where a tile lies, and how its sums end. For positions/kernels.cpp only.

#pragma once

#include "isa/levels.h"
#include "isa/product.h"
#include "positions/store.h"

namespace gk {
namespace {

constexpr int kBlockRows = 32;  // of staged layers
constexpr int kBlockSums = 1024;
constexpr int kMostTile = kMostSums * kVector > kBlockSums ? kMostSums * kVector : kBlockSums;

// Bytes of an output image.
int64_t image_bytes(const PositionLayer& layer) {
  const int64_t channels = static_cast<int64_t>(layer.groups) * layer.out_channels;
  switch (layer.store) {
    case PositionStore::kFloats:
    case PositionStore::kPlanes:
      return layer.positions * channels * 4;
    case PositionStore::kBfloats:
      return layer.positions * ((channels + 31) / 32 * 32) * 2;
    case PositionStore::kImages:
      return layer.positions * channels;
  }
  __builtin_unreachable();
}

// Where a tile lies: panels panel .. panel + panels - 1 of a group, rows first .. first + rows - 1.
struct Tile {
  int group;
  int panel;
  int panels;
  int first;
  int rows;
};

// Activates and stores the sums [rows][panels of the tile].
void finish_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
                 const Tile& tile, float* sums) {
  uint8_t levels[kMostTile];
  const int width = layer.vectors * kVector;
  const int across = tile.panels * width;
  activate_all(layer, sums, tile.rows * across);
  if (layer.store == PositionStore::kImages) {
    const Vector scale = broadcast(layer.scale), offset = broadcast(layer.offset);
    for (int i = 0; i < tile.rows * across; i += kVector) {
      const Integers made = to_uint8(load(sums + i), scale, offset);
      for (int lane = 0; lane < kVector; ++lane) levels[i + lane] = static_cast<uint8_t>(made[lane]);
    }
  }
  const int column = tile.panel * width;
  const int columns = layer.columns - column < across ? layer.columns - column : across;
  int image = tile.first / rows.rows;
  int anchor = tile.first % rows.rows;
  for (int r = 0; r < tile.rows; ++r, ++anchor) {
    if (anchor == rows.rows) {
      anchor = 0;
      ++image;
    }
    store_row(layer, static_cast<char*>(call.output) + image * image_bytes(layer),
              rows.outputs + static_cast<int64_t>(anchor) * layer.phases, tile.group, column,
              columns, sums + r * across, levels + r * across, call.finite + image);
  }
}

}  // namespace
}  // namespace gk
