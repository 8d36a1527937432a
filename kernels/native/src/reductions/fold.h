// Means, sums, extremes and weighted sums of elements. For reductions/kernels.cpp only.

#pragma once

#include "reductions/tiles.h"

namespace gk {
namespace {

template <FoldFunction function, int N>
GK_INLINE void fold_tile(const Fold& fold, const FoldOutput& output, int64_t scale, Tile<N> tile,
                         const float* from, float* to, int64_t to_stride) {
  const int64_t* places = fold.places + output.begin;
  const int64_t count = output.end - output.begin;
  Vector result[N];
  if (function == FoldFunction::kMax || function == FoldFunction::kMin) {
    const bool largest = function == FoldFunction::kMax;
    for (int j = 0; j < N; ++j) {
      result[j] = broadcast(largest ? -__builtin_inff() : __builtin_inff());
    }
    for (int64_t i = 0; i < count; ++i) {
      for (int j = 0; j < N; ++j) {
        const Vector value = tile.read(from + places[i] * scale, j);
        result[j] = largest ? larger(result[j], value) : smaller(result[j], value);
      }
    }
  } else if (function == FoldFunction::kWeighted) {
    const float* weights = fold.weights + output.begin;
    sum_in_chunks<N>(result, count, [&](Vector(&sums)[N], int64_t i) {
      const Vector weight = broadcast(weights[i]);
      for (int j = 0; j < N; ++j) {
        sums[j] = multiply_add(tile.read(from + places[i] * scale, j), weight, sums[j]);
      }
    });
  } else {
    sum_in_chunks<N>(result, count, [&](Vector(&sums)[N], int64_t i) {
      for (int j = 0; j < N; ++j) sums[j] += tile.read(from + places[i] * scale, j);
    });
    if (function == FoldFunction::kMean) {
      for (int j = 0; j < N; ++j) result[j] = result[j] / output.divisor;
    }
  }
  const Tile<N> target{to_stride, tile.count};
  for (int j = 0; j < N; ++j) target.write(to, j, result[j]);
}

template <FoldFunction function>
void fold_as(const Fold& fold, const Lanes& lanes, const LaneShare& share, const float* from,
             float* to) {
  for_tiles(lanes, share, [&](auto tile, int64_t image, int64_t output, int64_t lane) {
    const FoldOutput& at = fold.outputs[output];
    // Lanes of the output always follow each other.
    fold_tile<function>(fold, at, lanes.scale, tile,
                        from + image * lanes.in_image + at.from * lanes.scale + lane * lanes.stride,
                        to + image * lanes.out_image + at.to * lanes.scale + lane, 1);
  });
}

void fold(const Fold& plan, const Lanes& lanes, const LaneShare& share, const float* from,
          float* to) {
  switch (plan.function) {
    case FoldFunction::kMean:
      return fold_as<FoldFunction::kMean>(plan, lanes, share, from, to);
    case FoldFunction::kSum:
      return fold_as<FoldFunction::kSum>(plan, lanes, share, from, to);
    case FoldFunction::kMax:
      return fold_as<FoldFunction::kMax>(plan, lanes, share, from, to);
    case FoldFunction::kMin:
      return fold_as<FoldFunction::kMin>(plan, lanes, share, from, to);
    case FoldFunction::kWeighted:
      return fold_as<FoldFunction::kWeighted>(plan, lanes, share, from, to);
  }
}

}  // namespace
}  // namespace gk
