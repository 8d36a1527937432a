// Convolution by Winograd's F(4, 2) on the phases of tiling.h.

#pragma once

#include <cstddef>
#include <vector>

#include "lanes/tiling.h"
#include "memory.h"
#include "operation.h"

namespace gk::lanes {

class Winograd {
 public:
  // Takes the phases of `combinations`. shift: [out_channels] or null.
  Winograd(const Layer& layer, const float* shift, const LaneKernels& kernels,
           std::vector<Combination> combinations);

  void run(const Work& work) const;
  // Whether a phase is among those taken; where all are, nothing is left to another algorithm.
  bool takes(int z, int y, int x) const;
  int granularity() const;
  size_t scratch_bytes() const;
  size_t weight_bytes() const { return weights_.bytes() + shift_.bytes() + zeros_.bytes(); }

 private:
  // Some cells in some blocks of lanes, and the memory they are transformed in.
  struct Box {
    Axes first;
    Axes cells;
    Axes first_input;
    Axes inputs;
    int first_lanes;
    int lanes;
    float* transformed_inputs;   // [point][z][y][x][lanes][in_channel][row]
    float* transformed_outputs;  // [point][z][y][x][lanes][out_channel][row]
    int64_t input_points;        // floats from point to point
    int64_t output_points;
    LaneTerm* terms;
    float** columns;
  };

  void pack(const Layer& layer, const Combination& combination, float* to) const;
  void run_combination(const Work& work, const Combination& combination,
                       const float* weights, int64_t& boxes) const;
  void lay_out(const Combination& combination, void* scratch, Box& box) const;
  void transform_inputs(const Work& work, const Combination& combination, const Box& box) const;
  void multiply(const Work& work, const Combination& combination, const float* weights,
                const Box& box) const;
  int list_terms(const Combination& combination, int point, const float* panels, const Box& box,
                 const Axes& cell, const float* inputs) const;
  void transform_outputs(const Work& work, const Combination& combination, const Box& box) const;
  // Floats between points of this many transformed tiles: a row more than they are, so that points
  // do not meet in one set of the first cache.
  int64_t point_floats(int64_t tiles, int channels) const;

  const LaneKernels& kernels_;
  Layer layer_;
  int64_t row_;  // floats of a transformed row
  std::vector<Combination> combinations_;
  std::vector<int64_t> starts_;  // floats before a combination's weights
  Buffer<float> weights_;        // [point][group][term][block][depth][width of the block]
  Buffer<float> shift_;          // [out_channels]
  Buffer<float> zeros_;          // what lies outside of the map; the start of a sum
};

}  // namespace gk::lanes
