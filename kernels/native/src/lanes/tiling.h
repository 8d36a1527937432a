// Which phases of a layer F(4, 2) takes, and in what portions.
//
// A phase with neighbouring taps along the last axis or the one before is transformed along it:
// 25 products for 16 outputs of 4 taps, 5 for 4 outputs of 2; more taps are pairs that are summed
// among the transformed tiles, as taps along other axes are. Tiles lie on a fixed grid, whatever
// band is asked for.

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
  int taps() const { return static_cast<int>(phase.taps.size()); }
  // Pairs of taps where it is transformed, the last of them a single tap where taps are odd.
  int terms() const { return transformed ? (taps() + 1) / 2 : taps(); }
  // Products of a term that are left out: a single tap has nothing at infinity, the last point.
  bool is_absent(int term, int point) const {
    return transformed && 2 * term + 1 == taps() && point == points() - 1;
  }
  // Transformed inputs (what a pair of taps meets of a tile, else input positions). The pairs of a
  // tile meet inputs two apart, so that every second one serves the next tile too.
  bool shares() const { return transformed && terms() > 1; }
  int spacing() const { return shares() ? 2 : outputs(); }
  int begin_of(int input) const {
    return transformed ? spacing() * input + phase.taps.front().offset : input;
  }
  // From the first one of a cell to that of its n-th term.
  int reach(int term) const {
    return transformed ? term : phase.taps[term].offset - phase.taps.front().offset;
  }
  // From the first one of a cell to that of the `count`th after it.
  int advance(int count) const { return count * (outputs() / spacing()); }
  // Those that `count` cells from `first` on read.
  int first_input(int first) const {
    return transformed ? advance(first) : first + phase.taps.front().offset;
  }
  int input_count(int count) const { return advance(count - 1) + reach(terms() - 1) + 1; }
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
