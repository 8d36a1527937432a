#include "positions/pad.h"

#include <algorithm>

namespace gk {
namespace {

// Inputs of a strip, and its outputs: with weights they stay in the second cache.
constexpr int64_t kStripBytes = 256 * 1024;
constexpr int64_t kMostStripBytes = 4 * kStripBytes;
constexpr int64_t kOutputBytes = 512 * 1024;
// Strips that workers can share; where there are fewer, they share panels instead.
constexpr int kLeastUnits = 32;
// Tiles, to those of gathered rows.
constexpr double kMostTiles = 1.2;

}  // namespace

Pad::Pad(const Geometry& geometry, const std::vector<GridClass>& classes, int64_t words)
    : words_(words) {
  Axes pitch{};
  for (int axis = 0; axis < 3; ++axis) {
    int first = 0, last = geometry.input[axis] - 1, anchors = 0;
    for (const GridClass& rows : classes) {
      anchors = std::max(anchors, rows.anchors[axis]);
      for (const Axes& read : rows.reads) {
        first = std::min(first, read[axis]);
        last = std::max(last, read[axis] + rows.anchors[axis] - 1);
      }
    }
    // The zeros behind a line are those before the next one.
    const int beyond = std::max(-first, last - (geometry.input[axis] - 1));
    pitch[axis] = std::max(geometry.input[axis] + beyond, anchors);
    table_.input[axis] = geometry.input[axis];
    table_.first[axis] = first;
    if (axis == geometry.outermost()) table_.units = anchors;
  }
  table_.outermost = geometry.outermost();
  table_.pitch[0] = pitch[1];
  table_.pitch[1] = pitch[2];
  table_.unit = table_.outermost == 2   ? 1
                : table_.outermost == 1 ? pitch[2]
                                        : int64_t{pitch[1]} * pitch[2];
}

int64_t Pad::place(const Axes& read) const {
  const auto at = [&](int axis) { return int64_t{read[axis]} - table_.first[axis]; };
  return (at(0) * table_.pitch[0] + at(1)) * table_.pitch[1] + at(2);
}

int64_t Pad::reach(const std::vector<GridClass>& classes, int strip) const {
  int64_t furthest = 0;
  for (const GridClass& rows : classes) {
    Axes last = rows.anchors;
    last[table_.outermost] = 1;
    for (int axis = 0; axis < 3; ++axis) last[axis] += table_.first[axis] - 1;
    int64_t step = 0;
    for (const Axes& read : rows.reads) step = std::max(step, place(read));
    furthest = std::max(furthest, place(last) + step);
  }
  return furthest + (strip - 1) * table_.unit;
}

int64_t Pad::tiles(const GridClass& rows, bool on) const {
  const Axes& count = rows.anchors;
  const auto tiles_of = [](int64_t places) { return (places + kTileRows - 1) / kTileRows; };
  if (!on) return int64_t{count[0]} * count[1] * tiles_of(count[2]);
  const int64_t lines = int64_t{count[0] - 1} * table_.pitch[0] + count[1] - 1;
  return tiles_of(lines * table_.pitch[1] + count[2]);
}

void Pad::cut(const std::vector<GridClass>& classes, int64_t output_bytes) {
  const int64_t unit_bytes = table_.unit * words_ * 4;
  const int64_t around = (reach(classes, 1) + kTileRows) * words_ * 4;
  const int64_t fit = std::min((kStripBytes - around) / unit_bytes + 1,
                               kOutputBytes * table_.units / output_bytes);
  table_.strip = static_cast<int>(std::clamp<int64_t>(fit, 1, table_.units));
  // A tile may begin at the last place.
  table_.positions = reach(classes, table_.strip) + kTileRows;
  if (table_.outermost == 2) {
    table_.pitch[0] = 1;
    table_.pitch[1] = static_cast<int>(table_.positions);
  } else if (table_.outermost == 1) {
    table_.pitch[0] = static_cast<int>(table_.positions / table_.pitch[1]) + 1;
  }
}

std::optional<Pad> Pad::make(const Geometry& geometry, const std::vector<GridClass>& classes,
                             int64_t words, int channels, int images) {
  if (geometry.rank == 0) return std::nullopt;
  for (const GridClass& rows : classes) {
    if (rows.reads.size() != rows.taps.size()) return std::nullopt;
  }
  Pad pad(geometry, classes, words);
  if (int64_t{pad.table_.units} * images < kLeastUnits) return std::nullopt;
  int64_t tiles = 0;
  for (const GridClass& rows : classes) {
    const int64_t apart = pad.tiles(rows, false), along = pad.tiles(rows, true);
    pad.classes_.push_back({{rows.anchors[0], rows.anchors[1], rows.anchors[2]}, along < apart});
    tiles += std::min(apart, along) * images * static_cast<int64_t>(rows.taps.size());
  }
  if (static_cast<double>(tiles) > kMostTiles * static_cast<double>(tile_taps(classes, images))) {
    return std::nullopt;
  }
  pad.cut(classes, int64_t{geometry.positions_out()} * channels * 4);
  if (static_cast<int64_t>(pad.scratch_bytes()) > kMostStripBytes) return std::nullopt;
  return pad;
}

const PositionPadding& Pad::table() {
  table_.classes = classes_.data();
  return table_;
}

std::vector<int64_t> Pad::steps(const GridClass& rows) const {
  std::vector<int64_t> steps;
  for (const Axes& read : rows.reads) steps.push_back(place(read) * words_);
  return steps;
}

}  // namespace gk
