// Convolution tap by tap: per output position a product over the taps that are inside the map.

#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "lanes/axis.h"
#include "lanes/layer.h"
#include "memory.h"
#include "operation.h"

namespace gk::lanes {

class Direct {
 public:
  // shift: [out_channels] or null.
  Direct(const Layer& layer, const float* shift, const LaneKernels& kernels);

  void run(const Work& work) const;
  size_t scratch_bytes() const;
  size_t weight_bytes() const { return weights_.bytes() + shift_.bytes(); }

 private:
  // The runs of one class of each axis, of which those of the outermost begin before the band's end.
  struct Band {
    std::array<const Run*, 3> runs;
    std::array<int, 3> counts;
    int members;
    int terms;
  };
  // Where a worker keeps the operands of a product.
  struct Scratch {
    LaneTerm* terms;
    float** columns;
    float* dump;
  };

  void pack(const Layer& layer, const float* shift);
  void run_class(const Work& work, const Band& band, const Scratch& scratch) const;
  void run_position(const Work& work, const Band& band, int position, int lane,
                    const Scratch& scratch, LaneProduct& product) const;
  const float* panel(int z, int y, int x, int group) const;

  const LaneKernels& kernels_;
  Layer layer_;
  std::array<Axis, 3> axes_;
  std::vector<int64_t> panels_;  // [key of z][key of y][key of x]: floats before the panel
  Buffer<float> weights_;        // [panel][group][block][depth][width of the block]
  Buffer<float> shift_;          // [group][member][width]
  int most_members_ = 1;
  int most_terms_ = 1;
};

}  // namespace gk::lanes
