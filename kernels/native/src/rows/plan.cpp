#include "rows/plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace gk {
namespace {

// Rounded up, of numbers that are not negative.
int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Adds the site of `output` whose slot 0 is `input`, without the slots outside the map.
void add_site(RowAxis& axis, int output, int64_t input, int size) {
  const int64_t step = axis.step > 0 ? axis.step : -axis.step;
  // How far slot 0 lies before the map, and how far the map goes on from there, in slots' direction.
  const int64_t before = axis.step > 0 ? -input : input - (size - 1);
  const int64_t beyond = axis.step > 0 ? size - 1 - input : input;
  const int64_t first = before > 0 ? divide_up(before, step) : 0;
  const int64_t last = beyond < 0 ? 0 : std::min<int64_t>(axis.slots, beyond / step + 1);
  if (first >= last) {
    axis.sites.push_back({output, 0, 0, 0});
  } else {
    axis.sites.push_back({output, static_cast<int>(input + first * axis.step),
                          static_cast<int>(first), static_cast<int>(last - first)});
  }
}

// Rounded down, for a negative numerator too.
int divide_down(int numerator, int denominator) {
  return numerator / denominator - (numerator % denominator < 0);
}

// What the stride leaves of the places of all outputs, rising.
std::vector<int> rests(const Geometry& geometry, int axis) {
  const int stride = geometry.stride[axis];
  std::vector<int> found;
  for (int o = 0; o < std::min(stride, geometry.output[axis]); ++o) {
    found.push_back((o + geometry.padding[axis]) % stride);
  }
  std::sort(found.begin(), found.end());
  return found;
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
  for (const int phase : rests(geometry, axis)) {
    RowAxis mine;
    mine.step = -(dilation / common);
    for (int tap = 0; tap < kernel; ++tap) {
      if ((dilation * tap - phase) % stride == 0) mine.taps.push_back(tap);
    }
    mine.slots = static_cast<int>(mine.taps.size());
    const int reach = mine.slots > 0 ? dilation * mine.taps[0] : phase;
    const int first = (phase - padding % stride + stride) % stride;
    for (int o = first; o < geometry.output[axis]; o += stride) {
      add_site(mine, o, divide_down(o + padding - reach, stride), size);
    }
    found.push_back(std::move(mine));
  }
  return found;
}

int64_t grouped_slots(const Geometry& geometry, int axis, int group) {
  const int64_t stride = geometry.stride[axis];
  const int64_t reach = int64_t{geometry.dilation[axis]} * (geometry.kernel[axis] - 1);
  if (geometry.transposed) return group / stride + reach / stride;
  return group == 1 ? geometry.kernel[axis] : stride * (group - 1) + reach + 1;
}

RowAxis grouped(const Geometry& geometry, int axis, int group) {
  const int kernel = geometry.kernel[axis];
  const int stride = geometry.stride[axis];
  const int padding = geometry.padding[axis];
  const int dilation = geometry.dilation[axis];
  const int size = geometry.input[axis];
  const int reach = dilation * (kernel - 1);
  if (!geometry.transposed && group == 1) return phases(geometry, axis)[0];
  RowAxis all;
  all.group = group;
  all.slots = static_cast<int>(grouped_slots(geometry, axis, group));
  if (!geometry.transposed) {
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
