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
// Products of several pairs that are summed before they are transformed back, of one axis and of
// two: the error grows with their root, and would pass the budget (kernels/bounds.py) beyond.
constexpr int64_t kMostSums[] = {8192, 2048};

using Sides = std::array<Side, 3>;

double products(const Side& side) {
  if (!side.transformed) return side.phase.products();
  const double absent = side.is_absent(side.terms() - 1, side.points() - 1) ? 1 : 0;
  return side.cells() * (side.terms() - absent / side.points());
}

// What a phase costs, in products of a vector; with no axis transformed, all of them are direct.
double cost(const Sides& sides, const Layer& layer) {
  double sums = 1;
  double inputs = 1;
  double outputs = 1;
  double points = 1;
  for (const Side& side : sides) {
    sums *= products(side);
    inputs *= side.input_count(side.cells());
    outputs *= side.cells();
    points *= side.points();
  }
  const double pairs = static_cast<double>(layer.depth()) * layer.out_channels;
  return points * (kProductCost * sums * pairs + kInputCost * inputs * layer.in_channels +
                   kOutputCost * outputs * layer.out_channels);
}

double direct_cost(const Sides& sides, const Layer& layer) {
  double sums = 1;
  for (const Side& side : sides) sums *= side.phase.products();
  return sums * layer.depth() * layer.out_channels;
}

bool is_accurate(const Sides& sides, const Layer& layer) {
  const int64_t terms = sides[0].terms() * int64_t{sides[1].terms()} * sides[2].terms();
  const bool pairs = sides[1].shares() || sides[2].shares();
  return !pairs || terms * layer.depth() <= kMostSums[sides[1].transformed && sides[2].transformed];
}

// Which axes of a phase are transformed: none where it is not taken. Along an axis of a single pair
// it always pays where it does along the other.
Sides choose_sides(const Sides& plain, const Layer& layer, Extent extent) {
  Sides most = plain;
  for (int axis = 1; axis < 3; ++axis) most[axis].transformed = plain[axis].phase.has_pairs();
  if (extent == Extent::kPossible) return most;
  Sides best = plain;
  double least = direct_cost(plain, layer);
  for (int left = 0; left < 4; ++left) {
    Sides sides = most;
    for (int axis = 1; axis < 3; ++axis) {
      if (left >> (axis - 1) & 1 && most[axis].shares()) sides[axis].transformed = false;
    }
    if (!sides[1].transformed && !sides[2].transformed) continue;
    if (!is_accurate(sides, layer)) continue;
    const double each = cost(sides, layer);
    if (each >= least) continue;
    least = each;
    best = sides;
  }
  return best;
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
        const Sides sides = choose_sides({{{z, false}, {y, false}, {x, false}}}, layer, extent);
        if (!sides[1].transformed && !sides[2].transformed) continue;
        Combination combination{sides, {}, 0};
        if (choose_cells(combination, layer, kernels)) found.push_back(std::move(combination));
      }
    }
  }
  return found;
}

}  // namespace gk::lanes
