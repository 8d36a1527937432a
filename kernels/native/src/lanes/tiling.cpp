#include "lanes/tiling.h"

#include <algorithm>
#include <utility>

#include "lanes/share.h"
#include "limits.h"

namespace gk::lanes {
namespace {

// Vector operations to transform a point of one channel, loads and stores among them.
constexpr double kInputCost = 6.0;
constexpr double kOutputCost = 4.5;
// Products of transformed rows wait for memory more than those of a direct sum do.
constexpr double kProductCost = 1.1;

// Transformed inputs and outputs of the cells in hand: half of a second cache of 2 MiB, so that the
// weights of a point fit beside them.
constexpr int64_t kBoxBytes = 1024 * 1024;
// Of one cell: beyond it taps lie so far apart that a direct sum serves better.
constexpr int64_t kMostBoxBytes = 64 * kBoxBytes;
// Of a kernel: terms and phases are listed for all three axes together.
constexpr int kMostKernel = 4096;
// Along an axis of several terms, neighbours share transformed inputs.
constexpr int kSharing = 4;

bool is_quicker(const std::array<Side, 3>& sides, const Layer& layer) {
  double direct = 1;
  double products = 1;
  double inputs = 1;
  double outputs = 1;
  double points = 1;
  for (const Side& side : sides) {
    direct *= side.phase.products();
    products *= side.transformed ? side.cells() : side.phase.products();
    inputs *= side.transformed ? side.cells() : side.input_count(side.phase.count);
    outputs *= side.cells();
    points *= side.points();
  }
  const double pairs = static_cast<double>(layer.depth()) * layer.out_channels;
  return points * (kProductCost * products * pairs + kInputCost * inputs * layer.in_channels +
                   kOutputCost * outputs * layer.out_channels) <
         direct * pairs;
}

// Returns false where even one cell takes too much memory.
bool choose_cells(Combination& combination, const Layer& layer, const LaneKernels& kernels) {
  const int64_t row = kernels.vector * kernels.most_vectors * static_cast<int64_t>(sizeof(float));
  const auto bytes = [&] {
    const int64_t inputs = multiplied(combination.inputs(), layer.in_channels);
    const int64_t outputs = combination.outputs() * layer.out_channels;
    return multiplied(std::min(inputs, kMostBoxBytes) + outputs, combination.points() * row);
  };
  const auto fits = [&] { return bytes() <= kBoxBytes; };
  const auto grow = [&](int& size, int most) {
    while (size < most) {
      ++size;
      if (fits()) continue;
      --size;
      return;
    }
  };
  combination.cells = {1, 1, 1};
  combination.lanes = 1;
  if (bytes() > kMostBoxBytes) return false;
  for (int axis = 0; axis < 3; ++axis) {
    const Side& side = combination.sides[axis];
    if (side.terms() > 1) grow(combination.cells[axis], std::min(kSharing, side.cells()));
  }
  for (int axis = 2; axis >= 0; --axis) {
    grow(combination.cells[axis], combination.sides[axis].cells());
  }
  grow(combination.lanes, LaneBlocks(kernels, layer.capacity).count());
  return true;
}

}  // namespace

int64_t Combination::inputs() const {
  int64_t count = lanes;
  for (int axis = 0; axis < 3; ++axis) {
    count = multiplied(count, sides[axis].input_count(cells[axis]));
  }
  return count;
}

std::vector<Combination> find_combinations(const Layer& layer, const LaneKernels& kernels,
                                           Extent extent) {
  std::vector<Combination> found;
  if (layer.geometry.taps() > kMostKernel) return found;
  std::array<std::vector<Phase>, 3> phases;
  for (int axis = 0; axis < 3; ++axis) {
    for (Phase& phase : find_phases(layer.geometry, axis)) {
      if (!phase.taps.empty()) phases[axis].push_back(std::move(phase));
    }
  }
  for (const Phase& z : phases[0]) {
    for (const Phase& y : phases[1]) {
      for (const Phase& x : phases[2]) {
        const std::array<Side, 3> sides{{{z, false}, {y, y.is_pair()}, {x, x.is_pair()}}};
        if (!sides[1].transformed && !sides[2].transformed) continue;
        if (extent == Extent::kQuicker && !is_quicker(sides, layer)) continue;
        Combination combination{sides, {}, 0};
        if (choose_cells(combination, layer, kernels)) found.push_back(std::move(combination));
      }
    }
  }
  return found;
}

}  // namespace gk::lanes
