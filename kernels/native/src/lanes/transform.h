// The transforms of F(4, 2): four outputs of two taps each from five products (Winograd: Arithmetic
// complexity of computations, 1980), with the points 0, 1, -1, 2 and infinity:
//
//     y = A^T (G g * B^T d)      the transform of the taps, G g, is in winograd_weights.cpp
//
// Small whole numbers in B and A keep the error near that of a plain sum. For kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "lanes/kernels.h"

namespace gk {
namespace {

constexpr int kPoints = 5;
constexpr int kOutputs = 4;

// B^T d, in place.
GK_INLINE void transform_inputs(Vector* d) {
  const Vector two = broadcast(2.0f);
  const Vector odd = d[3] - d[1];
  const Vector high = d[2] - d[3];
  const Vector first = multiply_add(d[0] - d[2], two, odd);
  const Vector last = multiply_add(odd, -two, d[4] - d[2]);
  const Vector minus = multiply_add(d[2] - d[1], two, high);
  const Vector plus = multiply_add(d[1], two, high);
  d[0] = first;
  d[1] = plus;
  d[2] = minus;
  d[3] = odd;
  d[4] = last;
}

// A^T m + shift, in place: the first four.
GK_INLINE void transform_outputs(Vector* m, Vector shift) {
  const Vector even = m[1] + m[2] + shift;
  const Vector odd = m[1] - m[2] + shift;
  m[0] = m[0] + even + m[3];
  m[1] = multiply_add(m[3], broadcast(2.0f), odd);
  m[2] = multiply_add(m[3], broadcast(4.0f), even);
  m[3] = multiply_add(m[3], broadcast(8.0f), odd) + m[4];
}

template <int kY, int kX>
void transform_input_tile(const LaneTransform& tile) {
  for (int channel = 0; channel < tile.channels; ++channel) {
    for (int j = 0; j < tile.vectors; ++j) {
      const int64_t from = channel * tile.map_stride + j * kVector;
      Vector d[kX][kY];
      GK_UNROLL for (int x = 0; x < kX; ++x) {
        GK_UNROLL for (int y = 0; y < kY; ++y) d[x][y] = load(tile.sources[y * kX + x] + from);
        if constexpr (kY == kPoints) transform_inputs(d[x]);
      }
      float* to = tile.transformed + channel * tile.row_stride + j * kVector;
      GK_UNROLL for (int y = 0; y < kY; ++y) {
        Vector line[kX];
        GK_UNROLL for (int x = 0; x < kX; ++x) line[x] = d[x][y];
        if constexpr (kX == kPoints) transform_inputs(line);
        GK_UNROLL for (int x = 0; x < kX; ++x) {
          store(to + (y * kX + x) * tile.point_stride, line[x]);
        }
      }
    }
  }
}

template <int kY, int kX>
void transform_output_tile(const LaneTransform& tile) {
  constexpr int kHigh = kY == kPoints ? kOutputs : 1;
  constexpr int kWide = kX == kPoints ? kOutputs : 1;
  const bool relu = tile.activation == Activation::kRelu;
  // Sixteen streams of stores are beyond what prefetchers follow.
  const int64_t ahead = 2 * tile.map_stride;
  for (int channel = 0; channel < tile.channels; ++channel) {
    const Vector shift = broadcast(tile.shift[channel]);
    for (int j = 0; j < tile.vectors; ++j) {
      const float* from = tile.transformed + channel * tile.row_stride + j * kVector;
      const int64_t to = channel * tile.map_stride + j * kVector;
      Vector m[kX][kY];
      GK_UNROLL for (int x = 0; x < kX; ++x) {
        GK_UNROLL for (int y = 0; y < kY; ++y) {
          m[x][y] = load(from + (y * kX + x) * tile.point_stride);
        }
        // The shift is added along the last axis that is transformed.
        if constexpr (kY == kPoints) transform_outputs(m[x], kX == kPoints ? Vector{} : shift);
      }
      GK_UNROLL for (int y = 0; y < kHigh; ++y) {
        Vector line[kX];
        GK_UNROLL for (int x = 0; x < kX; ++x) line[x] = m[x][y];
        if constexpr (kX == kPoints) transform_outputs(line, shift);
        GK_UNROLL for (int x = 0; x < kWide; ++x) {
          float* target = tile.targets[y * kWide + x];
          if (!target) continue;
          store(target + to, relu ? at_least(line[x], Vector{}) : line[x]);
          __builtin_prefetch(target + to + ahead, 1);
        }
      }
    }
  }
  if (relu || tile.activation == Activation::kNone) return;
  for (int output = 0; output < kHigh * kWide; ++output) {
    if (!tile.targets[output]) continue;
    for (int channel = 0; channel < tile.channels; ++channel) {
      for (int j = 0; j < tile.vectors; ++j) {
        float* place = tile.targets[output] + channel * tile.map_stride + j * kVector;
        store(place, activate(tile.activation, tile.alpha, load(place)));
      }
    }
  }
}

void transform_input(const LaneTransform& tile) {
  if (tile.points_y == 1) return transform_input_tile<1, kPoints>(tile);
  if (tile.points_x == 1) return transform_input_tile<kPoints, 1>(tile);
  transform_input_tile<kPoints, kPoints>(tile);
}

void transform_output(const LaneTransform& tile) {
  if (tile.points_y == 1) return transform_output_tile<1, kPoints>(tile);
  if (tile.points_x == 1) return transform_output_tile<kPoints, 1>(tile);
  transform_output_tile<kPoints, kPoints>(tile);
}

}  // namespace
}  // namespace gk
