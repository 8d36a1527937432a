// A box of Winograd: transform the inputs, multiply point by point, transform the outputs.

#include <algorithm>

#include "lanes/blocks.h"
#include "lanes/share.h"
#include "lanes/winograd.h"

namespace gk::lanes {
namespace {

constexpr int kPoints = 5;
constexpr int kOutputs = 4;
// Rows of a product stay in the first cache: two thirds of 48 KiB where vectors have 16 floats.
// With longer steps, layers of many channels were a tenth slower.
constexpr int kRowBytes = 2048;

}  // namespace

void Winograd::transform_inputs(const Work& work, const Combination& combination,
                                const Box& box) const {
  const Geometry& geometry = layer_.geometry;
  const LaneBlocks blocks(kernels_, work.images);
  const float* sources[kPoints * kPoints];
  LaneTransform tile{};
  tile.points_y = combination.sides[1].points();
  tile.points_x = combination.sides[2].points();
  tile.sources = sources;
  tile.map_stride = work.capacity;
  tile.point_stride = box.input_points;
  tile.row_stride = row_;
  tile.channels = layer_.in_channels;
  // The input that a point of a tile begins with, or -1. Inputs that only absent outputs would read
  // are left out: a band need not have made them yet.
  const auto locate = [&](int axis, int input, int point) {
    const Side& side = combination.sides[axis];
    const int place = side.begin_of(input) + point;
    const int outputs = std::min(side.phase.count, (box.first[axis] + box.cells[axis]) * kOutputs);
    if (side.transformed && place - side.phase.taps.back().offset >= outputs) return -1;
    return place < geometry.input[axis] ? place : -1;
  };
  float* to = box.transformed_inputs;
  for (int z = 0; z < box.inputs[0]; ++z) {
    for (int y = 0; y < box.inputs[1]; ++y) {
      for (int x = 0; x < box.inputs[2]; ++x) {
        for (int lanes = 0; lanes < box.lanes; ++lanes, to += layer_.in_channels * row_) {
          const Lanes block = blocks[box.first_lanes + lanes];
          const int a = locate(0, box.first_input[0] + z, 0);
          const float** source = sources;
          for (int i = 0; i < tile.points_y; ++i) {
            const int b = locate(1, box.first_input[1] + y, i);
            for (int j = 0; j < tile.points_x; ++j) {
              const int c = locate(2, box.first_input[2] + x, j);
              const int64_t place =
                  (static_cast<int64_t>(a) * geometry.input[1] + b) * geometry.input[2] + c;
              *source++ = a < 0 || b < 0 || c < 0
                              ? zeros_.data() + block.first
                              : static_cast<const float*>(work.inputs[0]) + block.first +
                                    place * layer_.in_channels * work.capacity;
            }
          }
          tile.transformed = to;
          tile.vectors = block.vectors;
          kernels_.transform_input(tile);
        }
      }
    }
  }
}

void Winograd::multiply(const Work& work, const Combination& combination, const float* weights,
                        const Box& box) const {
  const LaneBlocks blocks(kernels_, work.images);
  const int step = depth_step(kernels_, combination.terms(), layer_.depth(), kRowBytes);
  const int64_t panel = static_cast<int64_t>(layer_.depth()) * layer_.width();
  LaneProduct product{};
  product.terms = box.terms;
  product.panel_depth = layer_.depth();
  product.row_stride = row_;
  product.columns = box.columns;
  product.column_count = layer_.width();
  product.last_block = block_count(layer_.width(), kernels_.widest);
  for (int point = 0; point < combination.points(); ++point) {
    for (int group = 0; group < layer_.groups; ++group) {
      const float* panels = weights + (static_cast<int64_t>(point) * layer_.groups + group) *
                                          combination.terms() * panel;
      for (int depth = 0; depth < layer_.depth(); depth += step) {
        product.first_depth = depth;
        product.depth = std::min(step, layer_.depth() - depth);
        product.shift = depth == 0 ? zeros_.data() : nullptr;
        float* to = box.transformed_outputs + point * box.output_points +
                    group * layer_.width() * row_;
        const float* from = box.transformed_inputs + point * box.input_points +
                            (group * layer_.depth() + depth) * row_;
        Axes cell;
        for (cell[0] = 0; cell[0] < box.cells[0]; ++cell[0]) {
          for (cell[1] = 0; cell[1] < box.cells[1]; ++cell[1]) {
            for (cell[2] = 0; cell[2] < box.cells[2]; ++cell[2]) {
              product.term_count = list_terms(combination, point, panels, box, cell, from);
              for (int lanes = 0; lanes < box.lanes; ++lanes, to += layer_.out_channels * row_) {
                product.vectors = blocks[box.first_lanes + lanes].vectors;
                for (int i = 0; i < layer_.width(); ++i) box.columns[i] = to + i * row_;
                kernels_.multiply(product);
                for (int i = 0; i < product.term_count; ++i) {
                  box.terms[i].rows += layer_.in_channels * row_;
                }
              }
            }
          }
        }
      }
    }
  }
}

int Winograd::list_terms(const Combination& combination, int point, const float* panels,
                         const Box& box, const Axes& cell, const float* inputs) const {
  const int64_t panel = static_cast<int64_t>(layer_.depth()) * layer_.width();
  const int across = combination.sides[2].points();
  const Axes points{0, point / across, point % across};
  // Of the n-th term of a side: the transformed input in the box, or -1 where that is nothing.
  const auto locate = [&](int axis, int n) {
    const Side& side = combination.sides[axis];
    const int input = side.advance(cell[axis]) + side.reach(n);
    const int begin = side.begin_of(box.first_input[axis] + input);
    const bool outside = begin + side.points() <= 0 || begin >= side.phase.inputs;
    return outside || side.is_absent(n, points[axis]) ? -1 : input;
  };
  int count = 0;
  for (int a = 0; a < combination.sides[0].terms(); ++a) {
    const int z = locate(0, a);
    for (int b = 0; b < combination.sides[1].terms(); ++b) {
      const int y = locate(1, b);
      for (int c = 0; c < combination.sides[2].terms(); ++c, panels += panel) {
        const int x = locate(2, c);
        if (z < 0 || y < 0 || x < 0) continue;
        const int64_t place = (static_cast<int64_t>(z) * box.inputs[1] + y) * box.inputs[2] + x;
        box.terms[count++] = {inputs + place * box.lanes * layer_.in_channels * row_, panels};
      }
    }
  }
  return count;
}

void Winograd::transform_outputs(const Work& work, const Combination& combination,
                                 const Box& box) const {
  const Geometry& geometry = layer_.geometry;
  const LaneBlocks blocks(kernels_, work.images);
  float* targets[kOutputs * kOutputs];
  LaneTransform tile{};
  tile.points_y = combination.sides[1].points();
  tile.points_x = combination.sides[2].points();
  tile.targets = targets;
  tile.map_stride = work.capacity;
  tile.point_stride = box.output_points;
  tile.row_stride = row_;
  tile.channels = layer_.out_channels;
  tile.shift = shift_.data();
  tile.activation = layer_.activation;
  tile.alpha = layer_.alpha;
  const auto locate = [&](int axis, int cell, int output) {
    const Side& side = combination.sides[axis];
    const int j = (box.first[axis] + cell) * side.outputs() + output;
    return j < side.phase.count ? side.phase.first + side.phase.stride * j : -1;
  };
  float* from = box.transformed_outputs;
  for (int z = 0; z < box.cells[0]; ++z) {
    for (int y = 0; y < box.cells[1]; ++y) {
      for (int x = 0; x < box.cells[2]; ++x) {
        for (int lanes = 0; lanes < box.lanes; ++lanes, from += layer_.out_channels * row_) {
          const Lanes block = blocks[box.first_lanes + lanes];
          const int a = locate(0, z, 0);
          float** target = targets;
          for (int i = 0; i < combination.sides[1].outputs(); ++i) {
            const int b = locate(1, y, i);
            for (int j = 0; j < combination.sides[2].outputs(); ++j) {
              const int c = locate(2, x, j);
              const int64_t place =
                  (static_cast<int64_t>(a) * geometry.output[1] + b) * geometry.output[2] + c;
              *target++ = b < 0 || c < 0 ? nullptr
                                         : static_cast<float*>(work.outputs[0]) + block.first +
                                               place * layer_.out_channels * work.capacity;
            }
          }
          tile.transformed = from;
          tile.vectors = block.vectors;
          kernels_.transform_output(tile);
        }
      }
    }
  }
}

}  // namespace gk::lanes
