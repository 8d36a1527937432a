// The output map as a grid of anchors, each with one or several neighbouring positions (phases),
// and the anchors sorted by the taps that they meet.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "geometry.h"

namespace gk {

// One axis. Position anchor * phases + phase meets, at a tap of the grid, the kernel's tap
// kernel_taps[tap][phase], or none (-1).
struct GridAxis {
  int phases = 1;
  int output = 0;
  std::vector<std::vector<int>> kernel_taps;
  std::vector<std::vector<Meeting>> meetings;  // [anchor]

  GridAxis(const Geometry& geometry, int axis, int phases);
  int64_t meeting_count() const;
};

// Anchors that meet the same taps, rising.
struct GridClass {
  std::vector<int64_t> inputs;   // [rows] word that the first tap reads
  std::vector<int32_t> outputs;  // [rows][phases] output position, or -1 outside the map
  std::vector<int64_t> steps;    // [taps] words from there to what this tap reads
  std::vector<int32_t> taps;
  int rows = 0;
  std::vector<int32_t> places;  // staged: [rows][taps] input position, or -1 outside the map
  // Staged: where neighbouring anchors read neighbouring inputs along every axis, how many anchors
  // there are along each, and [taps] what the first one reads, which may lie outside the map.
  Axes anchors{0, 0, 0};
  std::vector<Axes> reads;
};

// Rows of a tile of staged layers.
constexpr int kTileRows = 16;

// Products of a row, and of a tile of rows, with a tap, for so many images.
int64_t row_taps(const std::vector<GridClass>& classes, int images);
int64_t tile_taps(const std::vector<GridClass>& classes, int images);

class Grid {
 public:
  // Phases that make the work least, where a vector has `lanes` and a position `channels`.
  static Grid best(const Geometry& geometry, int channels, int lanes);
  // Positions that have their input to themselves, as where kernel and stride are equal, share it;
  // else every position by itself.
  static Grid plain(const Geometry& geometry);

  int phases() const { return axes_[0].phases * axes_[1].phases * axes_[2].phases; }
  int taps() const;
  // Taps of all classes that would be listed one by one.
  int64_t class_taps() const;
  // The kernel's tap of a tap of the grid at a phase, or -1.
  int kernel_tap(int tap, int phase) const;
  // Vectors that are multiplied.
  int64_t work(int channels, int lanes) const;
  // `words` are those of an input position.
  std::vector<GridClass> classes(int64_t words) const;
  // Fewer of them, with places, as if the map went on.
  std::vector<GridClass> merged_classes() const;
  // Classes of such words with their places.
  static std::vector<GridClass> placed(std::vector<GridClass> classes, int64_t words);

 private:
  Grid(const Geometry& geometry, const std::array<int, 3>& phases);
  GridClass merged_class(const std::array<const std::vector<int>*, 3>& anchors) const;
  // Appends the output positions of an anchor.
  void add_outputs(int z, int y, int x, std::vector<int32_t>& outputs) const;

  const Geometry geometry_;
  std::array<GridAxis, 3> axes_;
};

}  // namespace gk
