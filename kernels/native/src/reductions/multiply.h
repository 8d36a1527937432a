// The product of two values, image by image. For reductions/kernels.cpp only.

#pragma once

#include "isa/vector.h"
#include "reductions/kernels.h"

namespace gk {
namespace {

constexpr int kRowsOfBlock = 4;
constexpr int kColumnsOfBlock = 4;

// M rows by N columns of a product: of columns of one number for every image in a vector (kLanes),
// else of vectors of columns of one image. `unit` is the floats from one element to the next.
template <bool kLanes, int M, int N>
GK_INLINE void multiply_block(const Product& p, int64_t unit, const float* a, const float* b,
                              float* to, int count) {
  const int64_t step = kLanes ? unit : kVector;
  Vector sums[M][N] = {};
  for (int64_t k = 0; k < p.k; ++k) {
    Vector columns[N];
    for (int j = 0; j < N; ++j) {
      columns[j] = load_strided(b + k * p.n * unit + j * step, 1, count);
    }
    for (int i = 0; i < M; ++i) {
      const float* place = a + (i * p.k + k) * unit;
      const Vector row = kLanes ? load_unaligned(place) : broadcast(*place);
      for (int j = 0; j < N; ++j) sums[i][j] = multiply_add(row, columns[j], sums[i][j]);
    }
  }
  for (int i = 0; i < M; ++i) {
    for (int j = 0; j < N; ++j) {
      store_strided(to + i * p.n * unit + j * step, 1, sums[i][j], count);
    }
  }
}

// All columns of M rows.
template <bool kLanes, int M>
void multiply_rows(const Product& p, int64_t unit, const float* a, const float* b, float* to) {
  constexpr int64_t kStep = kLanes ? 1 : kVector;
  int64_t n = 0;
  for (; n + kColumnsOfBlock * kStep <= p.n; n += kColumnsOfBlock * kStep) {
    multiply_block<kLanes, M, kColumnsOfBlock>(p, unit, a, b + n * unit, to + n * unit, kVector);
  }
  for (; n < p.n; n += kStep) {
    const int64_t left = p.n - n;
    const int count = kLanes || left >= kVector ? kVector : static_cast<int>(left);
    multiply_block<kLanes, M, 1>(p, unit, a, b + n * unit, to + n * unit, count);
  }
}

template <bool kLanes>
void multiply_as(const Product& p, const float* a, const float* b, float* to) {
  const int64_t unit = kLanes ? p.capacity : 1;
  // Vectors of images, or images.
  const int64_t groups = kLanes ? (p.images + kVector - 1) / kVector : p.images;
  const int64_t bands = (p.m + kRowsOfBlock - 1) / kRowsOfBlock;
  const int64_t items = p.batch * groups * bands;
  for (int64_t item = items * p.part / p.parts; item < items * (p.part + 1) / p.parts; ++item) {
    const int64_t row = item % bands * kRowsOfBlock;
    const int64_t group = item / bands % groups, batch = item / bands / groups;
    // An image of PLAIN is a batch of its own.
    const int64_t place = kLanes ? batch : group * p.batch + batch;
    const int64_t shift = kLanes ? group * kVector : 0;
    const float* left = a + (place * p.m + row) * p.k * unit + shift;
    const float* right = b + place * p.k * p.n * unit + shift;
    float* out = to + (place * p.m + row) * p.n * unit + shift;
    if (row + kRowsOfBlock <= p.m) {
      multiply_rows<kLanes, kRowsOfBlock>(p, unit, left, right, out);
      continue;
    }
    for (int64_t i = 0; row + i < p.m; ++i) {
      multiply_rows<kLanes, 1>(p, unit, left + i * p.k * unit, right, out + i * p.n * unit);
    }
  }
}

void multiply(const Product& p, const float* a, const float* b, float* to) {
  if (p.capacity > 0) {
    multiply_as<true>(p, a, b, to);
  } else {
    multiply_as<false>(p, a, b, to);
  }
}

}  // namespace
}  // namespace gk
