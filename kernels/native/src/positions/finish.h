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

// Whether outputs are written past the caches: those of the caller that no cache near would keep,
// in whole vectors. Otherwise each line would be read before it is written.
GK_INLINE bool streams(const PositionLayer& layer, const PositionCall& call) {
  constexpr int64_t kLargeBytes = 2 * 1024 * 1024;
  constexpr int64_t kVectorBytes = kVector * 4;
  return layer.checked && layer.store == PositionStore::kFloats &&
         layer.out_channels % kVector == 0 &&
         image_bytes(layer) * call.images >= kLargeBytes &&
         reinterpret_cast<uintptr_t>(call.output) % kVectorBytes == 0;
}

// Where a tile lies: panels panel .. panel + panels - 1 of a group, rows first .. first + rows - 1.
struct Tile {
  int group;
  int panel;
  int panels;
  int first;
  int rows;
};

// A row of a class: an anchor of an image. After an image's last anchor comes the next one's first.
struct Row {
  Row(const PositionClass& rows, int row)
      : image(row / rows.rows), anchor(row % rows.rows), anchors(rows.rows) {}
  void next() {
    if (++anchor < anchors) return;
    anchor = 0;
    ++image;
  }

  int image;
  int anchor;
  int anchors;
};

// Bytes of an output position where they lie side by side, else 0.
int64_t position_bytes(const PositionLayer& layer) {
  const bool beside =
      layer.store == PositionStore::kFloats || layer.store == PositionStore::kBfloats;
  return beside ? image_bytes(layer) / layer.positions : 0;
}

// Where the columns of panels go in an output position.
struct StoredColumns {
  StoredColumns(const PositionLayer& layer, int group, int panel, int panels) {
    const int64_t size = layer.store == PositionStore::kBfloats ? 2 : 4;
    const int width = layer.vectors * kVector;
    phase = panel * width / layer.out_channels;
    const int channel = panel * width % layer.out_channels;
    const int left = layer.out_channels - channel;
    first = (static_cast<int64_t>(group) * layer.out_channels + channel) * size;
    bytes = (left < panels * width ? left : panels * width) * size;
  }
  // Those of the first phase.
  GK_INLINE void prefetch(const char* position) const {
    for (int64_t at = 0; at < bytes; at += kCacheLine) {
      __builtin_prefetch(position + first + at, 1, 3);
    }
    // Also the line that a misaligned row ends in.
    __builtin_prefetch(position + first + bytes - 1, 1, 3);
  }

  int phase;
  int64_t first;
  int64_t bytes;
};

// Fetches what a tile will be stored to, while it is multiplied.
void prefetch_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
                   const Tile& tile, int64_t bytes) {
  if (!bytes) return;
  const StoredColumns stored(layer, tile.group, tile.panel, tile.panels);
  Row row(rows, tile.first);
  for (int r = 0; r < tile.rows; ++r, row.next()) {
    const int32_t output =
        rows.outputs[static_cast<int64_t>(row.anchor) * layer.phases + stored.phase];
    if (output < 0) continue;
    stored.prefetch(static_cast<const char*>(call.output) +
                    (row.image * layer.positions + output) * bytes);
  }
}

// Activates `count` sums; their levels are made for images alone. Whether some may not be finite:
// such may lie outside the map, and which do is looked at only where it matters.
bool activate_sums(const PositionLayer& layer, float* sums, int count, uint8_t* levels) {
  activate_all(layer, sums, count);
  if (layer.store == PositionStore::kImages) {
    const Vector scale = broadcast(layer.scale), offset = broadcast(layer.offset);
    for (int i = 0; i < count; i += kVector) {
      const Integers made = to_uint8(load(sums + i), scale, offset);
      for (int lane = 0; lane < kVector; ++lane) {
        levels[i + lane] = static_cast<uint8_t>(made[lane]);
      }
    }
  }
  return layer.checked && !all_finite(sums, count);
}

// Activates and stores the sums [rows][panels of the tile].
void finish_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
                 const Tile& tile, float* sums) {
  uint8_t levels[kMostTile];
  const int width = layer.vectors * kVector;
  const int across = tile.panels * width;
  const bool doubtful = activate_sums(layer, sums, tile.rows * across, levels);
  const int column = tile.panel * width;
  const int columns = layer.columns - column < across ? layer.columns - column : across;
  const int phase = column / layer.out_channels;
  const int channel = column % layer.out_channels;
  const int64_t image_size = image_bytes(layer);
  Row row(rows, tile.first);
  for (int r = 0; r < tile.rows; ++r, row.next()) {
    store_row(layer, static_cast<char*>(call.output) + row.image * image_size,
              rows.outputs + static_cast<int64_t>(row.anchor) * layer.phases, tile.group, phase,
              channel, columns, sums + r * across, levels + r * across, doubtful,
              call.finite + row.image);
  }
}

}  // namespace
}  // namespace gk
