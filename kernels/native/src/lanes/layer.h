// What both algorithms are made from: one layer, and the memory of its packed weights.

#pragma once

#include <cstdint>

#include "geometry.h"
#include "isa/activation.h"
#include "lanes/kernels.h"

namespace gk::lanes {

struct Layer {
  Geometry geometry;
  int in_channels;
  int out_channels;
  int groups;
  const float* weight;  // [*kernel, in / groups, out]; read while packing only
  Activation activation;
  float alpha;
  int capacity;

  int depth() const { return in_channels / groups; }
  int width() const { return out_channels / groups; }
  // Weights from one input channel of a group to its output channels, for one tap.
  const float* row(int tap, int channel, int group) const {
    return weight + (static_cast<int64_t>(tap) * depth() + channel) * out_channels +
           group * width();
  }
};

// How many channels of every term are summed before the next term's turn, so that the rows of all
// terms stay in a cache: `row_bytes` of it for each float of a vector. It does not depend on how
// many images there are, because the order of a sum must not.
int depth_step(const LaneKernels& kernels, int terms, int depth, int row_bytes);

}  // namespace gk::lanes
