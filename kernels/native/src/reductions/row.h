// Norms and softmax over the channels of a position of GK_PLAIN, which follow each other: a vector
// has channels of one position. For reductions/kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "reductions/tiles.h"

namespace gk {
namespace {

// The numbers of one position, as vectors of which the last may be in part.
struct Row {
  int64_t count;

  int64_t vectors() const { return (count + kVector - 1) / kVector; }
  GK_INLINE int left(int64_t i) const {
    const int64_t rest = count - i * kVector;
    return rest < kVector ? static_cast<int>(rest) : kVector;
  }
  GK_INLINE Vector read(const float* from, int64_t i) const {
    return load_strided(from + i * kVector, 1, left(i));
  }
  GK_INLINE void write(float* to, int64_t i, Vector value) const {
    store_strided(to + i * kVector, 1, value, left(i));
  }
  // The value, with `other` where there is no number.
  GK_INLINE Vector present(int64_t i, Vector value, Vector other) const {
    Integers lane;
    for (int j = 0; j < kVector; ++j) lane[j] = j;
    return left(i) == kVector ? value : select(lane < left(i), value, other);
  }
};

// Of halves, and their halves.
GK_INLINE float sum_of(Vector value) {
  for (int width = kVector / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) value[i] += value[i + width];
  }
  return value[0];
}

void norm_row(const Norm& norm, Row row, const float* from, float* to) {
  const int64_t vectors = row.vectors();
  const float count = static_cast<float>(row.count);
  Vector total[1], left[2];
  sum_in_chunks<1>(total, vectors,
                   [&](Vector(&sums)[1], int64_t i) { sums[0] += row.read(from, i); });
  const Vector mean = broadcast(sum_of(total[0]) / count);
  sum_in_chunks<2>(left, vectors, [&](Vector(&sums)[2], int64_t i) {
    const Vector centred = row.present(i, row.read(from, i) - mean, Vector{});
    sums[0] += centred;
    sums[1] = multiply_add(centred, centred, sums[1]);
  });
  // What the mean is off, as in norm_tile.
  const Vector off = broadcast(sum_of(left[0]) / count);
  const Vector variance = at_least(broadcast(sum_of(left[1]) / count) - off * off, Vector{});
  const Vector factor = 1.0f / square_root(variance + norm.epsilon);
  for (int64_t i = 0; i < vectors; ++i) {
    const Vector value = (row.read(from, i) - mean - off) * factor;
    row.write(to, i, multiply_add(value, row.read(norm.scale, i), row.read(norm.shift, i)));
  }
}

void softmax_row(Row row, const float* from, float* to) {
  const int64_t vectors = row.vectors();
  Vector most = broadcast(-__builtin_inff());
  for (int64_t i = 0; i < vectors; ++i) {
    most = larger(most, row.present(i, row.read(from, i), broadcast(-__builtin_inff())));
  }
  for (int i = 1; i < kVector; ++i) {
    most = larger(most, broadcast(most[i]));
  }
  most = broadcast(most[0]);
  Vector total[1];
  sum_in_chunks<1>(total, vectors, [&](Vector(&sums)[1], int64_t i) {
    const Vector weight = exp_of(row.read(from, i) - most);
    row.write(to, i, weight);
    sums[0] += row.present(i, weight, Vector{});
  });
  const Vector factor = broadcast(1.0f / sum_of(total[0]));
  for (int64_t i = 0; i < vectors; ++i) row.write(to, i, row.read(to, i) * factor);
}

// Rows begin .. end - 1, one after the other in memory.
void norm_rows(const Norm& norm, int64_t count, int64_t begin, int64_t end, const float* from,
               float* to) {
  for (int64_t i = begin; i < end; ++i) norm_row(norm, {count}, from + i * count, to + i * count);
}

void softmax_rows(int64_t count, int64_t begin, int64_t end, const float* from, float* to) {
  for (int64_t i = begin; i < end; ++i) softmax_row({count}, from + i * count, to + i * count);
}

}  // namespace
}  // namespace gk
