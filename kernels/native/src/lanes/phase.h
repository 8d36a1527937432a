// A convolution along one axis as phases of stride 1: outputs that are `stride` apart and read
// neighbouring inputs through the same taps.

#pragma once

#include <cstdint>
#include <vector>

#include "geometry.h"

namespace gk::lanes {

// Output first + stride * j reads input j + offset through each tap, for j below count.
struct Phase {
  struct Tap {
    int tap;
    int offset;
  };
  int first;
  int stride;
  int count;
  int inputs;             // of the map
  std::vector<Tap> taps;  // offsets rising

  // Two taps or more, of neighbouring inputs: what F(4, 2) takes, pair by pair.
  bool has_pairs() const {
    const int last = static_cast<int>(taps.size()) - 1;
    return last > 0 && taps.back().offset == taps.front().offset + last;
  }
  // Pairs (tap, output) inside the map.
  int64_t products() const;
};

// None where the outputs of a phase do not read neighbouring inputs (forward with a stride).
std::vector<Phase> find_phases(const Geometry& geometry, int axis);

}  // namespace gk::lanes
