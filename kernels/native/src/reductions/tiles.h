// The vectors of lanes that a worker has, a few side by side. For reductions/kernels.cpp only.

#pragma once

#include "isa/vector.h"
#include "reductions/kernels.h"

namespace gk {
namespace {

// Vectors side by side, where lanes follow each other.
constexpr int kTile = 4;
// Sums are made of sums of so many numbers, so that errors do not grow with their number.
constexpr int64_t kChunk = 32;

// N vectors of lanes from `lane` on; one alone may have fewer than kVector.
template <int N>
struct Tile {
  int64_t stride;
  int count;

  GK_INLINE Vector read(const float* from, int i) const {
    if (N > 1) return load_unaligned(from + i * kVector);
    return load_strided(from, stride, count);
  }
  GK_INLINE void write(float* to, int i, Vector value) const {
    if (N > 1) return store_unaligned(to + i * kVector, value);
    store_strided(to, stride, value, count);
  }
};

// Calls run(tile, image, output, lane) for this worker's share.
template <class Run>
GK_INLINE void for_tiles(const Lanes& lanes, const LaneShare& share, Run run) {
  constexpr int64_t kLanesOfTile = int64_t{kTile} * kVector;
  const int64_t tiles = (lanes.count + kLanesOfTile - 1) / kLanesOfTile;
  const int64_t outputs = share.end - share.begin;
  const int64_t items = lanes.images * outputs * tiles;
  for (int64_t item = items * share.part / share.parts;
       item < items * (share.part + 1) / share.parts; ++item) {
    const int64_t image = item / tiles / outputs;
    const int64_t output = share.begin + item / tiles % outputs;
    int64_t lane = item % tiles * kLanesOfTile;
    if (lanes.stride == 1 && lanes.count - lane >= kLanesOfTile) {
      run(Tile<kTile>{1, kVector}, image, output, lane);
      continue;
    }
    const int64_t end = lanes.count - lane < kLanesOfTile ? lanes.count : lane + kLanesOfTile;
    for (; lane < end; lane += kVector) {
      const int count = end - lane < kVector ? static_cast<int>(end - lane) : kVector;
      run(Tile<1>{lanes.stride, count}, image, output, lane);
    }
  }
}

// The sum of `count` vectors of each of a tile: add(sums, i) adds the i-th ones.
template <int N, class Add>
GK_INLINE void sum_in_chunks(Vector (&totals)[N], int64_t count, Add add) {
  for (int j = 0; j < N; ++j) totals[j] = Vector{};
  for (int64_t i = 0; i < count;) {
    const int64_t stop = count - i < kChunk ? count : i + kChunk;
    Vector sums[N] = {};
    for (; i < stop; ++i) add(sums, i);
    for (int j = 0; j < N; ++j) totals[j] += sums[j];
  }
}

}  // namespace
}  // namespace gk
