// Layers of few output channels: what they are to the kernel, and when that is quicker.

#pragma once

#include <cstdint>

#include "geometry.h"
#include "memory.h"
#include "positions/grid.h"
#include "positions/kernels.h"

namespace gk {

class Scatter {
 public:
  // Whether every input can be multiplied with all taps at once, and is so in less work than the
  // grid takes. `channels` are those of an output position, `words` of an input position.
  static bool suits(const Geometry& geometry, const Grid& grid, int channels, int words,
                    int lanes);

  Scatter(const Geometry& geometry, int channels, int most_rows);

  const PositionScatter& table() const { return table_; }
  int columns() const { return table_.kernel[0] * table_.kernel[1] * line_; }
  // weight [*kernel, words, channels] as [panels][words][width].
  Buffer<uint32_t> pack(const float* weight, int words, int panels, int width) const;
  // Sums of a tile of so many columns, and of a strip.
  size_t scratch_bytes(int across) const;

 private:
  PositionScatter table_{};
  bool flipped_;  // whether taps come in the other order
  int line_;      // columns of the taps of the last axis
  int channels_;
};

}  // namespace gk
