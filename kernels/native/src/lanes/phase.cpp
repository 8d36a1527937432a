#include "lanes/phase.h"

#include <algorithm>

namespace gk::lanes {

int64_t Phase::products() const {
  int64_t sum = 0;
  for (const Tap& tap : taps) {
    sum += std::max(0, std::min(count, inputs - tap.offset) - std::max(0, -tap.offset));
  }
  return sum;
}

std::vector<Phase> find_phases(const Geometry& geometry, int axis) {
  const int stride = geometry.stride[axis];
  if (!geometry.transposed && stride != 1 && geometry.output[axis] > 1) return {};
  const int step = geometry.transposed ? stride : 1;
  std::vector<Phase> phases;
  for (int first = 0; first < std::min(step, geometry.output[axis]); ++first) {
    const int count = (geometry.output[axis] - first + step - 1) / step;
    Phase phase{first, step, count, geometry.input[axis], {}};
    for (int tap = 0; tap < geometry.kernel[axis]; ++tap) {
      const int reach = geometry.dilation[axis] * tap - geometry.padding[axis];
      if (!geometry.transposed) {
        phase.taps.push_back({tap, reach});
      } else if ((first - reach) % step == 0) {
        phase.taps.push_back({tap, (first - reach) / step});
      }
    }
    std::sort(phase.taps.begin(), phase.taps.end(),
              [](const Phase::Tap& a, const Phase::Tap& b) { return a.offset < b.offset; });
    phases.push_back(std::move(phase));
  }
  return phases;
}

}  // namespace gk::lanes
