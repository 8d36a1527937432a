#include "lanes/layer.h"

#include <algorithm>

namespace gk::lanes {
int depth_step(const LaneKernels& kernels, int terms, int depth, int row_bytes) {
  constexpr int64_t kLeastStep = 16;
  const int64_t channel_bytes = static_cast<int64_t>(sizeof(float)) * kernels.most_vectors;
  const int64_t fitting = row_bytes / (channel_bytes * std::max(terms, 1));
  const int most = static_cast<int>(std::max(kLeastStep, fitting));
  // As many steps as that takes, of nearly equal size.
  const int steps = std::max(1, (depth + most - 1) / most);
  return std::max(1, (depth + steps - 1) / steps);
}

}  // namespace gk::lanes
