#include "lanes/winograd.h"

#include <algorithm>

#include "lanes/share.h"

namespace gk::lanes {
namespace {

constexpr int kOutputs = 4;

// Rounded up.
int divide(int a, int b) { return (a + b - 1) / b; }

}  // namespace

int64_t Winograd::point_floats(int64_t tiles, int channels) const {
  return (tiles * channels + 1) * row_;
}

size_t Winograd::scratch_bytes() const {
  size_t most = 0;
  for (const Combination& each : combinations_) {
    const size_t floats = each.points() * (point_floats(each.inputs(), layer_.in_channels) +
                                           point_floats(each.outputs(), layer_.out_channels));
    most = std::max(most, floats * sizeof(float) + each.terms() * sizeof(LaneTerm));
  }
  return most + layer_.width() * sizeof(float*);
}

int Winograd::granularity() const {
  int most = 1;
  for (const Combination& each : combinations_) {
    const Side& side = each.sides[layer_.geometry.outermost()];
    if (side.transformed) most = side.phase.stride * kOutputs;
  }
  return most;
}

bool Winograd::takes(int z, int y, int x) const {
  return std::any_of(combinations_.begin(), combinations_.end(), [&](const Combination& each) {
    return each.sides[0].phase.first == z && each.sides[1].phase.first == y &&
           each.sides[2].phase.first == x;
  });
}

void Winograd::run(const Work& work) const {
  // Boxes are dealt out to the workers that share this call.
  int64_t boxes = 0;
  for (size_t i = 0; i < combinations_.size(); ++i) {
    run_combination(work, combinations_[i], weights_.data() + starts_[i], boxes);
  }
}

void Winograd::run_combination(const Work& work, const Combination& combination,
                               const float* weights, int64_t& boxes) const {
  Axes begin{0, 0, 0};
  Axes end;
  for (int axis = 0; axis < 3; ++axis) end[axis] = combination.sides[axis].cells();
  const int outermost = layer_.geometry.outermost();
  const Side& side = combination.sides[outermost];
  const int rows = side.phase.stride * side.outputs();
  const int before = side.transformed ? 0 : side.phase.first;
  begin[outermost] = divide(std::max(0, work.begin - before), rows);
  end[outermost] = std::min(end[outermost], divide(std::max(0, work.end - before), rows));
  const int lane_blocks = LaneBlocks(kernels_, work.images).count();
  Box box{};
  lay_out(combination, work.scratch, box);
  for (int z = begin[0]; z < end[0]; z += combination.cells[0]) {
    for (int y = begin[1]; y < end[1]; y += combination.cells[1]) {
      for (int x = begin[2]; x < end[2]; x += combination.cells[2]) {
        for (int lanes = 0; lanes < lane_blocks; lanes += combination.lanes) {
          if (boxes++ % work.parts != work.part) continue;
          box.first = {z, y, x};
          for (int axis = 0; axis < 3; ++axis) {
            const Side& each = combination.sides[axis];
            box.cells[axis] = std::min(combination.cells[axis], end[axis] - box.first[axis]);
            box.first_input[axis] = each.first_input(box.first[axis]);
            box.inputs[axis] = each.input_count(box.cells[axis]);
          }
          box.first_lanes = lanes;
          box.lanes = std::min(combination.lanes, lane_blocks - lanes);
          transform_inputs(work, combination, box);
          multiply(work, combination, weights, box);
          transform_outputs(work, combination, box);
        }
      }
    }
  }
}

void Winograd::lay_out(const Combination& combination, void* scratch, Box& box) const {
  box.input_points = point_floats(combination.inputs(), layer_.in_channels);
  box.output_points = point_floats(combination.outputs(), layer_.out_channels);
  box.transformed_inputs = static_cast<float*>(scratch);
  box.transformed_outputs = box.transformed_inputs + combination.points() * box.input_points;
  box.terms = reinterpret_cast<LaneTerm*>(box.transformed_outputs +
                                          combination.points() * box.output_points);
  box.columns = reinterpret_cast<float**>(box.terms + combination.terms());
}

}  // namespace gk::lanes
