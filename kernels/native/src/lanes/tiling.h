// Which phases of a layer F(4, 2) takes, and in what portions.
//
// A phase with two neighbouring taps along the last axis or the one before is transformed along it:
// 25 products for 16 outputs of 4 taps, 5 for 4 outputs of 2. Along other axes the taps are summed
// among the transformed tiles. Tiles lie on a fixed grid, whatever band is asked for.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lanes/layer.h"
#include "lanes/phase.h"

namespace gk::lanes {

// One axis of a combination. Its cells are tiles of four outputs where it is transformed, else
// outputs.
struct Side {
  Phase phase;
  bool transformed;

  int points() const { return transformed ? 5 : 1; }
  int outputs() const { return transformed ? 4 : 1; }
  int cells() const { return (phase.count + outputs() - 1) / outputs(); }
  int terms() const { return transformed ? 1 : static_cast<int>(phase.taps.size()); }
  // Transformed inputs (tiles, else input positions) that `count` cells from `first` on read.
  int first_input(int first) const {
    return transformed ? first : first + phase.taps.front().offset;
  }
  int input_count(int count) const {
    return transformed ? count : count + phase.taps.back().offset - phase.taps.front().offset;
  }
};

// A phase of every axis, and the cells and blocks of lanes that are worked on together.
struct Combination {
  std::array<Side, 3> sides;
  Axes cells;
  int lanes;

  int points() const { return sides[1].points() * sides[2].points(); }
  int terms() const { return sides[0].terms() * sides[1].terms() * sides[2].terms(); }
  int64_t weights(const Layer& layer) const {
    return static_cast<int64_t>(points()) * terms() * layer.depth() * layer.out_channels;
  }
  // Transformed inputs of these cells, and the cells themselves.
  int64_t inputs() const;
  int64_t outputs() const { return static_cast<int64_t>(lanes) * cells[0] * cells[1] * cells[2]; }
};

// Every phase that can be transformed, or only those where it should be quicker.
enum class Extent { kPossible, kQuicker };

std::vector<Combination> find_combinations(const Layer& layer, const LaneKernels& kernels,
                                           Extent extent);

}  // namespace gk::lanes
