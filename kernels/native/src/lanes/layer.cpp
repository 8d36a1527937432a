#include "lanes/layer.h"

#include <algorithm>

namespace gk::lanes {
namespace {

// Three quarters of the smallest first cache of processors with these vectors.
constexpr int kRowBytesAVectorFloat = 2048;
constexpr int kLeastStep = 16;

}  // namespace

int depth_step(const LaneKernels& kernels, int terms, int depth) {
  const int64_t bytes = static_cast<int64_t>(kRowBytesAVectorFloat) * kernels.vector;
  const int64_t row = static_cast<int64_t>(sizeof(float)) * kernels.vector * kernels.most_vectors;
  const int64_t fitting = bytes / (row * std::max(terms, 1));
  const int most = static_cast<int>(std::max<int64_t>(kLeastStep, fitting));
  const int parts = std::max(1, (depth + most - 1) / most);
  return std::max(1, (depth + parts - 1) / parts);
}

}  // namespace gk::lanes
