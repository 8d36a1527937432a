#include "positions/scatter.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "isa/round_bfloat16.h"
#include "limits.h"

namespace gk {
namespace {

// Sums of a strip: with their inputs and weights they stay in the second cache.
constexpr int64_t kStripBytes = 512 * 1024;
// Of one position of the axis that is cut.
constexpr int64_t kMostUnitBytes = 4 * kStripBytes;
// Lines that keep an output from being loaded before it is stored.
constexpr int kLeastLines = 3;
// In cycles: the product of a vector with a word, and of AMX tiles; gathering a word of a tap for
// them, which only the grid does; loading, adding and storing a vector.
constexpr double kProductCost = 0.5;
constexpr double kTileCost = 1.0 / 16;
constexpr double kGatherCost = 2.0 / 16;
constexpr double kAddCost = 1.5;
// How much quicker it must be reckoned: strips meet some inputs twice.
constexpr double kLeastGain = 0.75;
constexpr int kRowFloats = 16;

int ceiling(int64_t value, int64_t unit) { return static_cast<int>((value + unit - 1) / unit); }

// Floats of a row of sums: a line reaches beyond either end of it, and vectors beyond that.
int64_t row_floats(int positions, int kernel, int channels) {
  const int64_t floats = (int64_t{positions} + 2 * (kernel - 1)) * channels + kRowFloats;
  return ceiling(floats, kRowFloats) * int64_t{kRowFloats};
}

// Floats of one position of the axis that is cut.
int64_t unit_floats(const Geometry& geometry, int channels) {
  const int outermost = geometry.outermost();
  if (outermost == 2) return channels;
  const int64_t row = row_floats(geometry.output[2], geometry.kernel[2], channels);
  return outermost == 1 ? row : multiplied(row, geometry.output[1]);
}

// Taps of the last axis that are added at a time: those of a stride do not overlap.
int taps_together(const Geometry& geometry) {
  const int kernel = geometry.kernel[2];
  const bool few = geometry.kernel[0] * geometry.kernel[1] < kLeastLines;
  return few ? std::min(geometry.stride[2], kernel) : kernel;
}

}  // namespace

bool Scatter::suits(const Geometry& geometry, const Grid& grid, int channels, int words, int lanes,
                    bool tiles) {
  const bool strided = geometry.stride != Axes{1, 1, 1};
  if (geometry.rank == 0 || (strided && !geometry.transposed)) return false;
  if (geometry.dilation[2] != 1 && geometry.kernel[2] != 1) return false;
  const int64_t columns = multiplied(geometry.taps(), channels);
  if (columns > kMostScattered) return false;
  if (unit_floats(geometry, channels) * 4 > kMostUnitBytes) return false;
  const int64_t lines = int64_t{geometry.kernel[0]} * geometry.kernel[1];
  const int along = taps_together(geometry);
  const double adds = static_cast<double>(lines) * ceiling(geometry.kernel[2], along) *
                      ceiling(int64_t{along} * channels, lanes);
  const double product = tiles ? kTileCost : kProductCost;
  const double scattered =
      geometry.positions_in() * (ceiling(columns, lanes) * product * words + kAddCost * adds);
  const auto work = static_cast<double>(grid.work(channels, lanes));
  const int vectors = ceiling(int64_t{grid.phases()} * channels, lanes);
  const double gridded = work * (product + (tiles ? kGatherCost / vectors : 0)) * words;
  // A tile of AMX is not worth its while with fewer rows.
  return (!tiles || geometry.input[2] >= kTileRows) && scattered < kLeastGain * gridded;
}

Scatter::Scatter(const Geometry& geometry, int channels, int rows)
    : flipped_(!geometry.transposed),
      line_(geometry.kernel[2] * channels),
      channels_(channels) {
  for (int axis = 0; axis < 3; ++axis) {
    table_.input[axis] = geometry.input[axis];
    table_.output[axis] = geometry.output[axis];
    table_.kernel[axis] = geometry.kernel[axis];
    table_.stride[axis] = geometry.stride[axis];
    table_.dilation[axis] = geometry.dilation[axis];
    // A convolution of stride 1 is a transposed one whose taps come in the other order.
    const int reach = geometry.dilation[axis] * (geometry.kernel[axis] - 1);
    table_.padding[axis] = flipped_ ? reach - geometry.padding[axis] : geometry.padding[axis];
  }
  const int width = geometry.input[2];
  // Tiles of AMX are full but for the last one.
  table_.tile = rows == kTileRows ? rows : ceiling(width, ceiling(width, rows));
  table_.taps = taps_together(geometry);
  table_.outermost = geometry.outermost();
  const int64_t unit = unit_floats(geometry, channels) * 4;
  const int units = geometry.output[table_.outermost];
  table_.strip = static_cast<int>(std::clamp<int64_t>(kStripBytes / unit, 1, units));
  const int positions = table_.outermost == 2 ? table_.strip : geometry.output[2];
  table_.row_floats = row_floats(positions, geometry.kernel[2], channels);
}

Buffer<uint32_t> Scatter::pack(const PositionWeights& source, int words, int panels,
                               int width) const {
  Buffer<uint32_t> packed(static_cast<size_t>(panels) * words * width);
  uint32_t* to = packed.data();
  const int taps = columns() / channels_;
  for (int panel = 0; panel < panels; ++panel) {
    for (int word = 0; word < words; ++word) {
      for (int column = panel * width; column < (panel + 1) * width; ++column, ++to) {
        *to = 0;
        if (column >= columns()) continue;
        const int place = column / channels_;
        const int64_t tap = flipped_ ? taps - 1 - place : place;
        const float* weight =
            source.weight + tap * source.in_channels * channels_ + column % channels_;
        const auto value = [&](int channel) {
          return channel < source.in_channels ? weight[channel * int64_t{channels_}] : 0.0f;
        };
        if (source.bfloat16) {
          *to = to_bfloat16(value(2 * word)) | uint32_t{to_bfloat16(value(2 * word + 1))} << 16;
        } else {
          const float number = value(word);
          std::memcpy(to, &number, sizeof(*to));
        }
      }
    }
  }
  return packed;
}

size_t Scatter::scratch_bytes(int across) const {
  const int64_t rows = table_.outermost == 2   ? 1
                       : table_.outermost == 1 ? table_.strip
                                               : int64_t{table_.strip} * table_.output[1];
  const int64_t sums = int64_t{table_.tile} * across;
  return static_cast<size_t>(sums + rows * table_.row_floats) * sizeof(float);
}

}  // namespace gk
