#include "rows/plan.h"

#include <algorithm>
#include <numeric>

namespace gk {
namespace {

// Adds the site of `output` whose slot 0 is `input`, without the slots outside the map.
void add_site(RowAxis& axis, int output, int input, int size) {
  int first = 0;
  int last = axis.slots;
  const auto outside = [&](int slot) {
    const int at = input + slot * axis.step;
    return at < 0 || at >= size;
  };
  while (first < last && outside(first)) ++first;
  while (first < last && outside(last - 1)) --last;
  if (first == last) {
    axis.sites.push_back({output, 0, 0, 0});
  } else {
    axis.sites.push_back({output, input + first * axis.step, first, last - first});
  }
}

// Rounded down, for a negative numerator too.
int divide_down(int numerator, int denominator) {
  return numerator / denominator - (numerator % denominator < 0);
}

}  // namespace

RowSites RowAxis::within(int begin, int end) const {
  const auto first = std::partition_point(
      sites.begin(), sites.end(),
      [&](const RowSite& site) { return site.output + group <= begin; });
  const auto last = std::partition_point(
      first, sites.end(), [&](const RowSite& site) { return site.output < end; });
  return {sites.data() + (first - sites.begin()), static_cast<int>(last - first), slots, step};
}

std::vector<RowAxis> phases(const Geometry& geometry, int axis) {
  const int kernel = geometry.kernel[axis];
  const int stride = geometry.stride[axis];
  const int padding = geometry.padding[axis];
  const int dilation = geometry.dilation[axis];
  const int size = geometry.input[axis];
  if (!geometry.transposed) {
    RowAxis all;
    all.slots = kernel;
    all.step = dilation;
    for (int tap = 0; tap < kernel; ++tap) all.taps.push_back(tap);
    for (int o = 0; o < geometry.output[axis]; ++o) add_site(all, o, o * stride - padding, size);
    return {all};
  }
  std::vector<RowAxis> found;
  const int common = std::gcd(stride, dilation);
  for (int phase = 0; phase < stride; ++phase) {
    RowAxis mine;
    mine.step = -(dilation / common);
    for (int tap = 0; tap < kernel; ++tap) {
      if ((dilation * tap - phase) % stride == 0) mine.taps.push_back(tap);
    }
    mine.slots = static_cast<int>(mine.taps.size());
    const int reach = mine.slots > 0 ? dilation * mine.taps[0] : phase;
    for (int o = 0; o < geometry.output[axis]; ++o) {
      if ((o + padding) % stride != phase) continue;
      add_site(mine, o, divide_down(o + padding - reach, stride), size);
    }
    if (!mine.sites.empty()) found.push_back(mine);
  }
  return found;
}

RowAxis grouped(const Geometry& geometry, int axis, int group) {
  const int kernel = geometry.kernel[axis];
  const int stride = geometry.stride[axis];
  const int padding = geometry.padding[axis];
  const int dilation = geometry.dilation[axis];
  const int size = geometry.input[axis];
  const int reach = dilation * (kernel - 1);
  RowAxis all;
  all.group = group;
  if (!geometry.transposed && group == 1) return phases(geometry, axis)[0];
  if (!geometry.transposed) {
    all.slots = stride * (group - 1) + reach + 1;
    for (int slot = 0; slot < all.slots; ++slot) {
      for (int o = 0; o < group; ++o) {
        const int distance = slot - stride * o;
        const bool meet = distance >= 0 && distance <= reach && distance % dilation == 0;
        all.taps.push_back(meet ? distance / dilation : -1);
      }
    }
    for (int o = 0; o < geometry.output[axis]; o += group) {
      add_site(all, o, o * stride - padding, size);
    }
    return all;
  }
  // Inputs reach back from the group's own by as many as fit the kernel.
  const int back = reach / stride;
  all.slots = group / stride + back;
  for (int slot = 0; slot < all.slots; ++slot) {
    for (int o = 0; o < group; ++o) {
      const int distance = o + stride * (back - slot);
      const bool meet = distance >= 0 && distance <= reach && distance % dilation == 0;
      all.taps.push_back(meet ? distance / dilation : -1);
    }
  }
  for (int o = padding / group * group - padding; o < geometry.output[axis]; o += group) {
    add_site(all, o, (o + padding) / stride - back, size);
  }
  return all;
}

}  // namespace gk
