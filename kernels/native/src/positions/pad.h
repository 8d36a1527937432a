// Layers for AMX tiles whose rows are loaded as they lie on a padded map: what they are to the
// kernel, and when that is quicker than gathering rows.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "geometry.h"
#include "positions/grid.h"
#include "positions/kernels.h"

namespace gk {

class Pad {
 public:
  // `classes` are merged ones, `words` those of an input position, `channels` of an output.
  // None where neighbouring anchors do not read neighbouring inputs, or tiles would stay empty.
  static std::optional<Pad> make(const Geometry& geometry, const std::vector<GridClass>& classes,
                                 int64_t words, int channels, int images);

  // Valid while this lives where it is.
  const PositionPadding& table();
  // [taps] of a class: words from an anchor's place to what it reads.
  std::vector<int64_t> steps(const GridClass& rows) const;
  size_t scratch_bytes() const { return static_cast<size_t>(table_.positions * words_ * 4); }

 private:
  Pad(const Geometry& geometry, const std::vector<GridClass>& classes, int64_t words);
  // Positions, at most, from the first place to what is read furthest in so many units.
  int64_t reach(const std::vector<GridClass>& classes, int strip) const;
  int64_t place(const Axes& read) const;
  int64_t tiles(const GridClass& rows, bool on) const;
  void cut(const std::vector<GridClass>& classes, int64_t output_bytes);

  PositionPadding table_{};
  std::vector<PaddedClass> classes_;
  int64_t words_;
};

}  // namespace gk
