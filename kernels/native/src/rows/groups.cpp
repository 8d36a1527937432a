#include "rows/groups.h"

#include <limits>

#include "rows/plan.h"

namespace gk {
namespace {

constexpr int kMostColumns = 32;
// What it takes to activate and store a tile of sums, in products of tiles.
constexpr double kFinish = 20.0;

double cost(const RowLayer& layer, const Axes& groups) {
  double slots = 1.0;
  int outputs = 1;
  for (int axis = 0; axis < 3; ++axis) {
    // A site that reads inputs of its own; what lies outside the map costs nothing.
    slots *= grouped(layer.geometry, axis, groups[axis]).slots;
    outputs *= groups[axis];
  }
  const int tiles = (outputs * layer.out_channels + 15) / 16;
  const int blocks = blocks_of(layer.in_channels / layer.groups);
  return tiles * (slots * blocks + kFinish) / outputs;
}

}  // namespace

Axes choose_groups(const RowLayer& layer) {
  const Geometry& geometry = layer.geometry;
  Axes unit{1, 1, 1};
  for (int axis = 0; axis < 3 && geometry.transposed; ++axis) unit[axis] = geometry.stride[axis];
  // No more outputs than there are.
  const auto fits = [&](int axis, int group) {
    return group == unit[axis] || group < geometry.output[axis] + unit[axis];
  };
  Axes best = unit;
  double least = std::numeric_limits<double>::max();
  Axes groups;
  for (groups[0] = unit[0]; fits(0, groups[0]); groups[0] += unit[0]) {
    for (groups[1] = unit[1]; fits(1, groups[1]); groups[1] += unit[1]) {
      for (groups[2] = unit[2]; fits(2, groups[2]); groups[2] += unit[2]) {
        const int64_t columns =
            int64_t{groups[0]} * groups[1] * groups[2] * layer.out_channels;
        if (columns > kMostColumns && groups != unit) break;
        const double mine = cost(layer, groups);
        if (mine < least) {
          least = mine;
          best = groups;
        }
      }
      if (int64_t{groups[0]} * groups[1] * unit[2] * layer.out_channels > kMostColumns) break;
    }
    if (int64_t{groups[0]} * unit[1] * unit[2] * layer.out_channels > kMostColumns) break;
  }
  return best;
}

}  // namespace gk
