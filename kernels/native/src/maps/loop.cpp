#include "maps/loop.h"

namespace gk {
namespace {

// Workers share runs of this many elements: lines of the cache that none has in common.
constexpr int64_t kGrain = 16;

}  // namespace

void append_axis(Loop& loop, int64_t size, const int64_t (&strides)[1 + kMostOperands]) {
  loop.size[loop.rank] = size;
  for (int k = 0; k <= kMostOperands; ++k) loop.stride[k][loop.rank] = strides[k];
  ++loop.rank;
}

Loop collapsed(const Loop& loop) {
  Loop result{};
  for (int axis = 0; axis < loop.rank; ++axis) {
    if (loop.size[axis] == 1) continue;
    const int last = result.rank - 1;
    bool follows = last >= 0;
    for (int k = 0; follows && k <= kMostOperands; ++k) {
      follows = result.stride[k][last] == loop.stride[k][axis] * loop.size[axis];
    }
    const int target = follows ? last : result.rank++;
    result.size[target] = loop.size[axis] * (follows ? result.size[target] : 1);
    for (int k = 0; k <= kMostOperands; ++k) result.stride[k][target] = loop.stride[k][axis];
  }
  if (result.rank == 0) append_axis(result, 1, {1, 1, 1, 1});
  return result;
}

Loop part_of(const Loop& loop, const Work& work, int64_t (&offsets)[1 + kMostOperands]) {
  // The outermost axis that has something for every worker, or else the longest.
  int axis = 0;
  for (int other = 0; other < loop.rank; ++other) {
    if (loop.size[axis] >= work.parts) break;
    if (loop.size[other] > loop.size[axis]) axis = other;
  }
  const int64_t grain = axis == loop.rank - 1 ? kGrain : 1;
  const int64_t grains = (loop.size[axis] + grain - 1) / grain;
  const int64_t begin = grains * work.part / work.parts * grain;
  int64_t end = grains * (work.part + 1) / work.parts * grain;
  if (end > loop.size[axis]) end = loop.size[axis];
  Loop part = loop;
  part.size[axis] = end - begin;
  for (int k = 0; k <= kMostOperands; ++k) offsets[k] = begin * loop.stride[k][axis];
  return part;
}

}  // namespace gk
