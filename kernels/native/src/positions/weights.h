// Weights of a layer on positions, in panels of columns.

#pragma once

#include <cstdint>

#include "memory.h"
#include "positions/grid.h"

namespace gk {

// What is packed: weight [kernel taps][in_channels of a group][groups * out_channels], and shift
// [groups * out_channels].
struct PositionWeights {
  const float* weight;
  const float* shift;  // or null
  int groups;
  int in_channels;   // of a group
  int out_channels;  // of a group
  bool bfloat16;
  // So many neighbouring groups are packed as one, with zeros between them.
  int merged;
  // Words of a position come in blocks of so many; those past the channels are zero.
  int word_step = 1;

  int packed_groups() const { return groups / merged; }
  int words() const {
    const int words = bfloat16 ? (in_channels * merged + 1) / 2 : in_channels * merged;
    return (words + word_step - 1) / word_step * word_step;
  }
  int columns(const Grid& grid) const { return grid.phases() * out_channels * merged; }

  // [groups][panels][taps][words][width], and [groups][panels][width].
  Buffer<uint32_t> pack(const Grid& grid, int panels, int width) const;
  Buffer<float> pack_shift(const Grid& grid, int panels, int width) const;
};

}  // namespace gk
