// Layers of few output channels: what they are to the kernel, and when that is quicker.

#pragma once

#include <cstdint>

#include "geometry.h"
#include "memory.h"
#include "positions/grid.h"
#include "positions/kernels.h"
#include "positions/weights.h"

namespace gk {

class Scatter {
 public:
  // Whether every input can be multiplied with all taps at once, and is so in less time than the
  // grid takes. `channels` are those of an output position, `words` of an input position; `tiles`
  // says that AMX multiplies them.
  static bool suits(const Geometry& geometry, const Grid& grid, int channels, int words, int lanes,
                    bool tiles);

  // `rows`: input positions of a product, at most.
  Scatter(const Geometry& geometry, int channels, int rows);

  const PositionScatter& table() const { return table_; }
  int columns() const { return table_.kernel[0] * table_.kernel[1] * line_; }
  // weight [*kernel, in_channels, channels] as [panels][words][width]; two input channels in a
  // word for bfloat16.
  Buffer<uint32_t> pack(const PositionWeights& source, int words, int panels, int width) const;
  // Sums of a tile of so many columns, and of a strip.
  size_t scratch_bytes(int across) const;

 private:
  PositionScatter table_{};
  bool flipped_;  // whether taps come in the other order
  int line_;      // columns of the taps of the last axis
  int channels_;
};

}  // namespace gk
