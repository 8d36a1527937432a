#include "rows/groups.h"

#include <limits>

#include "limits.h"
#include "rows/plan.h"

namespace gk {
namespace {

constexpr int kMostColumns = 32;
// Of a layer whose stride leaves no choice; others are better served by rows_convolution.
constexpr int64_t kMostUnitColumns = 4096;
// Taps along an axis, of all outputs of a site.
constexpr int64_t kMostSiteTaps = int64_t{1} << 20;
// What it takes to activate and store a tile of sums, in products of tiles.
constexpr double kFinish = 20.0;

double cost(const RowLayer& layer, const Axes& groups) {
  double slots = 1.0;
  int outputs = 1;
  for (int axis = 0; axis < 3; ++axis) {
    // A site that reads inputs of its own; what lies outside the map costs nothing.
    slots *= static_cast<double>(grouped_slots(layer.geometry, axis, groups[axis]));
    outputs *= groups[axis];
  }
  const int tiles = (outputs * layer.out_channels + 15) / 16;
  const int blocks = blocks_of(layer.in_channels / layer.groups);
  return tiles * (slots * blocks + kFinish) / outputs;
}

}  // namespace

Axes choose_groups(const Description& description, const RowLayer& layer) {
  const Geometry& geometry = layer.geometry;
  Axes unit{1, 1, 1};
  for (int axis = 0; axis < 3 && geometry.transposed; ++axis) unit[axis] = geometry.stride[axis];
  int64_t columns_of_unit = layer.out_channels;
  for (const int outputs : unit) columns_of_unit = multiplied(columns_of_unit, outputs);
  if (columns_of_unit > kMostUnitColumns) {
    description.refuse("has " + std::to_string(columns_of_unit) + " channels in the outputs of a " +
                       "stride, more than " + std::to_string(kMostUnitColumns));
  }
  for (int axis = 0; axis < 3; ++axis) {
    const int64_t taps = grouped_slots(geometry, axis, unit[axis]) * unit[axis];
    if (taps > kMostSiteTaps) {
      description.refuse("reaches over " + std::to_string(taps) + " taps along axis " +
                         std::to_string(axis) + ", more than " + std::to_string(kMostSiteTaps));
    }
  }
  // No more outputs than there are, nor more taps than can be listed.
  const auto fits = [&](int axis, int group) {
    return group == unit[axis] ||
           (group < geometry.output[axis] + unit[axis] &&
            grouped_slots(geometry, axis, group) * group <= kMostSiteTaps);
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
