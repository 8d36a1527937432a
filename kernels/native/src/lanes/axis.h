// Outputs along one axis, by which inputs they read through which taps.

#pragma once

#include <vector>

#include "geometry.h"

namespace gk::lanes {

// One input position, and the key of the taps through which the members of a run read it.
struct Read {
  int key;
  int input;
};

// Neighbouring outputs that read the same inputs, so that they can be columns of one product.
struct Run {
  int first;
  int members;
  std::vector<Read> reads;

  // The first output of the phase that the run begins in.
  int phase(const Geometry& geometry, int axis) const {
    return geometry.transposed ? first % geometry.stride[axis] : 0;
  }
};

struct Axis {
  // A key: the tap of each member.
  std::vector<std::vector<int>> keys;
  // Runs of as many members, the same keys and one phase, in order of their outputs.
  std::vector<std::vector<Run>> classes;
};

// At most `most` members a run.
Axis find_runs(const Geometry& geometry, int axis, int most);

}  // namespace gk::lanes
