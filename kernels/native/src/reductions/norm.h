// Normalisation by a sample's own statistics, and softmax. For reductions/kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "reductions/tiles.h"

namespace gk {
namespace {

// Numbers of scale or shift for the j-th vector of a tile.
template <int N>
GK_INLINE Vector numbers_of(const Norm& norm, const float* numbers, Tile<N> tile, int64_t lane,
                            int j) {
  if (norm.lanes_of_number == 1) {
    return load_strided(numbers + (lane + j * kVector) * norm.lane_step, norm.lane_step,
                        tile.count);
  }
  return broadcast(numbers[(lane + j * kVector) / norm.lanes_of_number * norm.lane_step]);
}

// In three passes: the mean; the mean of what is left and of its squares; the results. A mean is
// rounded, which matters where the deviation is small beside it: what it is off is the mean of what
// is left.
template <int N>
GK_INLINE void norm_tile(const Norm& norm, int64_t scale, Tile<N> tile, int64_t group, int64_t lane,
                         const float* from, float* to) {
  Vector mean[N], left[2 * N], factor[N];
  const float count = static_cast<float>(norm.count);
  sum_in_chunks<N>(mean, norm.count, [&](Vector(&sums)[N], int64_t i) {
    for (int j = 0; j < N; ++j) sums[j] += tile.read(from + norm.places[i] * scale, j);
  });
  for (int j = 0; j < N; ++j) mean[j] = mean[j] / count;
  sum_in_chunks<2 * N>(left, norm.count, [&](Vector(&sums)[2 * N], int64_t i) {
    for (int j = 0; j < N; ++j) {
      const Vector centred = tile.read(from + norm.places[i] * scale, j) - mean[j];
      sums[j] += centred;
      sums[N + j] = multiply_add(centred, centred, sums[N + j]);
    }
  });
  for (int j = 0; j < N; ++j) {
    left[j] = left[j] / count;
    const Vector variance = left[N + j] / count - left[j] * left[j];
    factor[j] = 1.0f / square_root(at_least(variance, Vector{}) + norm.epsilon);
  }
  int64_t number = group * norm.group_step;
  int64_t turn = 0;
  for (int64_t i = 0; i < norm.count; ++i) {
    for (int j = 0; j < N; ++j) {
      const Vector centred = tile.read(from + norm.places[i] * scale, j) - mean[j] - left[j];
      const Vector value =
          multiply_add(centred * factor[j],
                       numbers_of<N>(norm, norm.scale + number + turn, tile, lane, j),
                       numbers_of<N>(norm, norm.shift + number + turn, tile, lane, j));
      tile.write(to + norm.places[i] * scale, j, activate(norm.activation, norm.alpha, value));
    }
    if (++turn == norm.period) turn = 0;
  }
}

void norm(const Norm& plan, const Lanes& lanes, const LaneShare& share, const float* from,
          float* to) {
  for_tiles(lanes, share, [&](auto tile, int64_t image, int64_t group, int64_t lane) {
    const int64_t start = plan.starts[group] * lanes.scale + lane * lanes.stride;
    norm_tile(plan, lanes.scale, tile, group, lane, from + image * lanes.in_image + start,
              to + image * lanes.out_image + start);
  });
}

// The largest first, so that no exponential overflows.
template <int N>
GK_INLINE void softmax_tile(int64_t count, int64_t scale, Tile<N> tile, const float* from,
                            float* to) {
  Vector most[N], total[N];
  for (int j = 0; j < N; ++j) most[j] = broadcast(-__builtin_inff());
  for (int64_t i = 0; i < count; ++i) {
    for (int j = 0; j < N; ++j) most[j] = larger(most[j], tile.read(from + i * scale, j));
  }
  sum_in_chunks<N>(total, count, [&](Vector(&sums)[N], int64_t i) {
    for (int j = 0; j < N; ++j) {
      const Vector weight = exp_of(tile.read(from + i * scale, j) - most[j]);
      tile.write(to + i * scale, j, weight);
      sums[j] += weight;
    }
  });
  for (int j = 0; j < N; ++j) total[j] = 1.0f / total[j];
  for (int64_t i = 0; i < count; ++i) {
    for (int j = 0; j < N; ++j) {
      tile.write(to + i * scale, j, tile.read(to + i * scale, j) * total[j]);
    }
  }
}

void softmax(const Softmax& plan, const Lanes& lanes, const LaneShare& share, const float* from,
             float* to) {
  for_tiles(lanes, share, [&](auto tile, int64_t image, int64_t group, int64_t lane) {
    const int64_t start = group * plan.group_step * lanes.scale + lane * lanes.stride;
    softmax_tile(plan.count, lanes.scale, tile, from + image * lanes.in_image + start,
                 to + image * lanes.out_image + start);
  });
}

}  // namespace
}  // namespace gk
