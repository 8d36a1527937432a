// bfloat16 products on AMX tiles whose rows are loaded where they lie: strip by strip of the map,
// inputs are copied once, with zeros around them, and every tap of neighbouring anchors is a tile
// of neighbouring rows. The calling thread has configured 8 tiles of 16 rows of 64 bytes. For
// positions/kernels.cpp only.

#pragma once

#if defined(__AMX_BF16__)

#include "positions/finish.h"
#include "positions/tiles.h"

namespace gk {
namespace {

// Anchors begin .. end - 1 along the outermost axis of one image.
struct PaddedStrip {
  int begin;
  int end;
  int image;
};

// One or two tiles of 16 anchors, and where their sums go; null for rows outside the map.
struct PaddedBlock {
  const uint32_t* rows[2];  // what the first anchor of a tile reads at a step of 0
  const int32_t* outputs[kBlockRows];
  bool whole[2];  // whether all of a tile's anchors are there, neighbours in a line
  int tiles;
};

template <int kRows, int kPanels>
void multiply_padded(const PositionLayer& layer, const PositionClass& from,
                     const PaddedBlock& block, int panel, float* sums) {
  using Tiles = Sums<kRows, kPanels, 1>;
  constexpr int kStep = kTileWords * Tiles::kWidth;
  const int64_t panel_words = static_cast<int64_t>(layer.taps) * layer.words * Tiles::kWidth;
  const int64_t row_bytes = layer.position_words * 4;
  Tiles::begin(layer.shift + static_cast<int64_t>(panel) * Tiles::kWidth);
  for (int t = 0; t < from.tap_count; ++t) {
    const uint32_t* weights = layer.weights + panel * panel_words +
                              static_cast<int64_t>(from.taps[t]) * layer.words * Tiles::kWidth;
    const uint32_t* rows = block.rows[0] + from.steps[t];
    const uint32_t* below = block.rows[kRows - 1] + from.steps[t];
    for (int k = 0; k < layer.words; k += kTileWords, weights += kStep) {
      Tiles::add(rows + k, below + k, row_bytes, weights, panel_words);
    }
  }
  Tiles::end(sums);
}

void multiply_padded_any(const PositionLayer& layer, const PositionClass& from,
                         const PaddedBlock& block, int panel, int panels, float* sums) {
  if (block.tiles == 2) {
    if (panels == 2) return multiply_padded<2, 2>(layer, from, block, panel, sums);
    return multiply_padded<2, 1>(layer, from, block, panel, sums);
  }
  if (panels == 4) return multiply_padded<1, 4>(layer, from, block, panel, sums);
  if (panels == 2) return multiply_padded<1, 2>(layer, from, block, panel, sums);
  multiply_padded<1, 1>(layer, from, block, panel, sums);
}

// Panels of a block that are worked on at a time: a power of two.
int panels_of_block(int tiles, int left) {
  const int most = tiles == 2 ? 2 : 4;
  for (int panels = most; panels > 1; panels /= 2) {
    if (panels <= left) return panels;
  }
  return 1;
}

// Copies what the strip reads: all lines of all planes, with zeros where there is no input.
void fill(const PositionLayer& layer, const PositionCall& call, const PaddedStrip& strip) {
  const PositionPadding& padding = *layer.padding;
  const int64_t position = layer.position_words * 4;
  int origin[3] = {padding.first[0], padding.first[1], padding.first[2]};
  origin[padding.outermost] += strip.begin;
  const uint32_t* image = call.input + strip.image * layer.input_words;
  char* to = reinterpret_cast<char*>(call.stage);
  // The last strip may be a short one.
  const int64_t short_of = padding.strip - (strip.end - strip.begin);
  const int64_t positions = padding.positions - short_of * padding.unit;
  int z = origin[0], y = origin[1];
  for (int64_t done = 0; done < positions;) {
    const int64_t left = positions - done;
    const int line = static_cast<int>(left < padding.pitch[1] ? left : padding.pitch[1]);
    int begin = 0, end = 0;
    if (z >= 0 && z < padding.input[0] && y >= 0 && y < padding.input[1]) {
      begin = origin[2] < 0 ? -origin[2] : 0;
      if (begin > line) begin = line;
      const int last = padding.input[2] - origin[2];
      end = last < begin ? begin : last < line ? last : line;
    }
    __builtin_memset(to, 0, begin * position);
    if (end > begin) {
      const int64_t from =
          (static_cast<int64_t>(z) * padding.input[1] + y) * padding.input[2] + origin[2] + begin;
      __builtin_memcpy(to + begin * position, image + from * layer.position_words,
                       (end - begin) * position);
    }
    __builtin_memset(to + end * position, 0, (line - end) * position);
    to += line * position;
    done += line;
    if (++y == origin[1] + padding.pitch[0]) {
      y = origin[1];
      ++z;
    }
  }
}

// The tiles of a class in a strip: 16 anchors each, counted along lines of `width` places, `height`
// lines to a plane, of which the first `count` along each axis are anchors.
class PaddedTiles {
 public:
  PaddedTiles(const PositionLayer& layer, int number, const PaddedStrip& strip)
      : padding_(*layer.padding), outputs_(layer.classes[number].outputs), phases_(layer.phases) {
    const PaddedClass& from = padding_.classes[number];
    for (int axis = 0; axis < 3; ++axis) all_[axis] = count_[axis] = from.anchors[axis];
    const int outermost = padding_.outermost;
    const int end = strip.end < all_[outermost] ? strip.end : all_[outermost];
    first_[outermost] = strip.begin;
    count_[outermost] = end - strip.begin;
    height_ = from.on ? padding_.pitch[0] : count_[1];
    width_ = padding_.pitch[1];
    if (!from.on) width_ = (count_[2] + kRowsOfTile - 1) / kRowsOfTile * kRowsOfTile;
    if (count_[outermost] > 0) {
      const int64_t lines = (count_[0] - 1) * static_cast<int64_t>(height_) + count_[1] - 1;
      tiles_ = (lines * width_ + count_[2] + kRowsOfTile - 1) / kRowsOfTile;
    }
  }

  int64_t count() const { return tiles_; }

  void list(int64_t tile, const PositionCall& call, int64_t position_words, PaddedBlock& block,
            int at) const {
    const int64_t place = tile * kRowsOfTile;
    int x = static_cast<int>(place % width_);
    int y = static_cast<int>(place / width_ % height_);
    int z = static_cast<int>(place / width_ / height_);
    const int64_t line = static_cast<int64_t>(z) * padding_.pitch[0] + y;
    block.whole[at] = y < count_[1] && x + kRowsOfTile <= count_[2];
    block.rows[at] = call.stage + (line * padding_.pitch[1] + x) * position_words;
    for (int r = at * kRowsOfTile; r < (at + 1) * kRowsOfTile; ++r) {
      const bool stands = x < count_[2] && y < count_[1] && z < count_[0];
      block.outputs[r] = stands ? outputs_ + anchor(z, y, x) * phases_ : nullptr;
      if (++x < width_) continue;
      x = 0;
      if (++y < height_) continue;
      y = 0;
      ++z;
    }
  }

 private:
  int64_t anchor(int z, int y, int x) const {
    const int64_t line = static_cast<int64_t>(z + first_[0]) * all_[1] + y + first_[1];
    return line * all_[2] + x + first_[2];
  }

  const PositionPadding& padding_;
  const int32_t* outputs_;
  int phases_;
  int all_[3];
  int first_[3] = {0, 0, 0};
  int count_[3];
  int height_;
  int width_;
  int64_t tiles_ = 0;
};

// Fetches what panels of a block will be stored to, while they are multiplied.
void prefetch_block(const PositionLayer& layer, const PositionCall& call, const PaddedBlock& block,
                    int image, int panel, int panels) {
  const int64_t bytes = position_bytes(layer);
  if (!bytes) return;
  const StoredColumns stored(layer, 0, panel, panels);
  const char* to = static_cast<const char*>(call.output) + image * layer.positions * bytes;
  for (int r = 0; r < block.tiles * kRowsOfTile; ++r) {
    if (!block.outputs[r]) continue;
    const int32_t output = block.outputs[r][stored.phase];
    if (output >= 0) stored.prefetch(to + output * bytes);
  }
}

// Activates and stores the sums [rows][panels] of anchors of one image, each with where its phases
// go, or null outside the map.
void finish_rows(const PositionLayer& layer, void* image, const int32_t* const* outputs, int rows,
                 int panel, int panels, float* sums, uint8_t* finite) {
  uint8_t levels[kMostTile];
  const int across = panels * kVector;
  const bool doubtful = activate_sums(layer, sums, rows * across, levels);
  const int column = panel * kVector;
  const int columns = layer.columns - column < across ? layer.columns - column : across;
  const int phase = column / layer.out_channels;
  const int channel = column % layer.out_channels;
  for (int r = 0; r < rows; ++r) {
    if (!outputs[r]) continue;
    store_row(layer, image, outputs[r], 0, phase, channel, columns, sums + r * across,
              levels + r * across, doubtful, finite);
  }
}

// Whether all rows of a block lie inside the map, with all phases.
bool can_stream(const PositionLayer& layer, const PaddedBlock& block) {
  for (int tile = 0; tile < block.tiles; ++tile) {
    const int32_t* const* outputs = block.outputs + tile * kRowsOfTile;
    // Of neighbours only the last may lie outside.
    if (!block.whole[tile] || outputs[kRowsOfTile - 1][layer.phases - 1] < 0) return false;
  }
  return true;
}

// Activates the sums [rows][panels] of such a block and stores them past the caches.
void stream_rows(const PositionLayer& layer, float* image, const PaddedBlock& block, int panel,
                 int panels, float* sums, uint8_t* finite) {
  const int across = panels * kVector;
  const int rows = block.tiles * kRowsOfTile;
  activate_all(layer, sums, rows * across);
  if (!all_finite(sums, rows * across)) mark_not_finite(finite);
  for (int column = 0; column < panels; ++column) {
    const int first = (panel + column) * kVector;
    const int phase = first / layer.out_channels;
    float* to = image + first % layer.out_channels;
    for (int r = 0; r < rows; ++r) {
      stream(to + static_cast<int64_t>(block.outputs[r][phase]) * layer.out_channels,
             load(sums + r * across + column * kVector));
    }
  }
}

void run_strip(const PositionLayer& layer, const PositionCall& call, const PaddedStrip& strip,
               bool large) {
  alignas(64) float sums[kBlockSums];
  char* outputs = static_cast<char*>(call.output) + strip.image * image_bytes(layer);
  uint8_t* finite = call.finite + strip.image;
  fill(layer, call, strip);
  for (int number = 0; number < layer.class_count; ++number) {
    const PositionClass& from = layer.classes[number];
    const PaddedTiles tiles(layer, number, strip);
    for (int64_t tile = 0; tile < tiles.count(); tile += 2) {
      PaddedBlock block;
      block.tiles = tiles.count() - tile > 1 ? 2 : 1;
      for (int at = 0; at < block.tiles; ++at) {
        tiles.list(tile + at, call, layer.position_words, block, at);
      }
      for (int panel = 0; panel < layer.panels;) {
        const int beside = panels_of_block(block.tiles, layer.panels - panel);
        const bool streams = large && can_stream(layer, block);
        if (!streams) prefetch_block(layer, call, block, strip.image, panel, beside);
        multiply_padded_any(layer, from, block, panel, beside, sums);
        if (streams) {
          stream_rows(layer, reinterpret_cast<float*>(outputs), block, panel, beside, sums, finite);
        } else {
          finish_rows(layer, outputs, block.outputs, block.tiles * kRowsOfTile, panel, beside, sums,
                      finite);
        }
        panel += beside;
      }
    }
  }
}

// Each worker has strips of its own.
void run_padded(const PositionLayer& layer, const PositionCall& call) {
  const PositionPadding& padding = *layer.padding;
  const bool large = streams(layer, call);
  const int64_t units = padding.units;
  const int64_t end = units * call.images * (call.part + 1) / call.parts;
  for (int64_t at = units * call.images * call.part / call.parts; at < end;) {
    const int64_t first = at % units;
    int64_t last = first + padding.strip < units ? first + padding.strip : units;
    if (last - first > end - at) last = first + end - at;
    run_strip(layer, call,
              {static_cast<int>(first), static_cast<int>(last), static_cast<int>(at / units)},
              large);
    at += last - first;
  }
  if (large) stream_fence();
}

}  // namespace
}  // namespace gk

#endif
