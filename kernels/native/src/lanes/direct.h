// Convolution tap by tap: per output position a product over the taps that are inside the map.

#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "description.h"
#include "lanes/axis.h"
#include "lanes/layer.h"
#include "memory.h"
#include "operation.h"

namespace gk::lanes {

class Direct {
 public:
  // Computes the phases (first outputs along each axis) that `others` do not; all if it is empty.
  // shift: [out_channels] or null. Refuses weights that grow absurdly when they are packed.
  using Phases = std::function<bool(int z, int y, int x)>;
  Direct(const Description& description, const Layer& layer, const float* shift,
         const LaneKernels& kernels, const Phases& others);

  void run(const Work& work) const;
  size_t scratch_bytes() const;
  size_t weight_bytes() const { return weights_.bytes() + shift_.bytes(); }

 private:
  // A class of runs of every axis.
  using Classes = std::array<const std::vector<Run>*, 3>;
  // Their runs, of the outermost axis those that meet the band.
  struct Band {
    std::array<const Run*, 3> runs;
    std::array<int, 3> counts;
    int members;
    int terms;
  };
  // A run of every axis: one output position, or neighbours that are columns of one product.
  using Place = std::array<const Run*, 3>;
  // Where a worker keeps the operands of a product.
  struct Scratch {
    LaneTerm* terms;
    float** columns;
    float* dump;
  };

  void find_classes(const Phases& others);
  void pack_weights(const Layer& layer);
  void pack_shift(const float* shift);
  Band within(const Classes& classes, const Work& work) const;
  void run_class(const Work& work, const Band& band, const Scratch& scratch) const;
  void run_position(const Work& work, const Band& band, int position, int lane,
                    const Scratch& scratch, LaneProduct& product) const;
  void list_terms(const Place& place, int group, const float* input, int capacity,
                  LaneTerm* term) const;
  void list_columns(const Work& work, const Place& place, int group, float* output,
                    const Scratch& scratch) const;
  size_t panel_place(int z, int y, int x) const;
  const float* panel(int z, int y, int x, int group) const;

  const LaneKernels& kernels_;
  Layer layer_;
  bool depthwise_;  // groups of one channel, of images and of outputs
  std::array<Axis, 3> axes_;
  std::vector<Classes> classes_;
  std::vector<int64_t> panels_;  // [key of z][key of y][key of x]: floats before it, or -1
  Buffer<float> weights_;        // [panel][group][block][depth][width of the block]
  Buffer<float> shift_;          // [group][member][width]
  int most_members_ = 1;
  int most_terms_ = 1;
};

}  // namespace gk::lanes
