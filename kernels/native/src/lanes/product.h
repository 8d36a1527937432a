// The product of weights and rows of images: a block of columns by some vectors of images stays in
// registers while all terms are summed. For kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "lanes/blocks.h"
#include "lanes/kernels.h"

namespace gk {
namespace {

// Columns x vectors of accumulators, vectors of images and a weight: 24 + 3 + 1 of the 32 registers
// of AVX-512, 12 + 3 + 1 of 16 elsewhere.
constexpr int kMostVectors = 3;
constexpr int kWidest = kVector == 16 ? 8 : 4;

// A call of its own, so that it is not unrolled into every product.
__attribute__((noinline)) void activate_columns(const LaneProduct& product, int first, int width) {
  for (int i = first; i < first + width; ++i) {
    float* column = product.columns[i];
    for (int j = 0; j < product.vectors; ++j) {
      float* place = column + j * kVector;
      store(place, activate(product.activation, product.alpha, load(place)));
    }
  }
}

template <int kWidth, int kVectors>
void multiply_block(const LaneProduct& product, int first) {
  float* const* columns = product.columns + first;
  Vector sums[kWidth][kVectors];
  GK_UNROLL for (int i = 0; i < kWidth; ++i) {
    GK_UNROLL for (int j = 0; j < kVectors; ++j) {
      sums[i][j] = product.shift ? broadcast(product.shift[first + i])
                                 : load(columns[i] + j * kVector);
    }
  }
  const int64_t offset = static_cast<int64_t>(first) * product.panel_depth +
                         static_cast<int64_t>(product.first_depth) * kWidth;
  // The weights of the next block, which no prefetcher finds: they begin on another page.
  const int64_t next = static_cast<int64_t>(product.panel_depth) * kWidth;
  for (int term = 0; term < product.term_count; ++term) {
    const float* rows = product.terms[term].rows;
    const float* weights = product.terms[term].panel + offset;
    for (int k = 0; k < product.depth; ++k) {
      __builtin_prefetch(weights + next);
      Vector images[kVectors];
      GK_UNROLL for (int j = 0; j < kVectors; ++j) images[j] = load(rows + j * kVector);
      GK_UNROLL for (int i = 0; i < kWidth; ++i) {
        const Vector weight = broadcast(weights[i]);
        GK_UNROLL for (int j = 0; j < kVectors; ++j) {
          sums[i][j] = multiply_add(images[j], weight, sums[i][j]);
        }
      }
      rows += product.row_stride;
      weights += kWidth;
    }
  }
  GK_UNROLL for (int i = 0; i < kWidth; ++i) {
    GK_UNROLL for (int j = 0; j < kVectors; ++j) store(columns[i] + j * kVector, sums[i][j]);
  }
  if (product.finish && product.activation != Activation::kNone) {
    activate_columns(product, first, kWidth);
  }
}

template <int kVectors>
void multiply_width(const LaneProduct& product, int first, int width) {
  switch (width) {
    case 1:
      return multiply_block<1, kVectors>(product, first);
    case 2:
      return multiply_block<2, kVectors>(product, first);
    case 3:
      return multiply_block<3, kVectors>(product, first);
    case 4:
      return multiply_block<4, kVectors>(product, first);
  }
  if constexpr (kWidest > 4) {
    switch (width) {
      case 5:
        return multiply_block<5, kVectors>(product, first);
      case 6:
        return multiply_block<6, kVectors>(product, first);
      case 7:
        return multiply_block<7, kVectors>(product, first);
      case 8:
        return multiply_block<8, kVectors>(product, first);
    }
  }
  __builtin_unreachable();
}

void multiply(const LaneProduct& product) {
  const int count = block_count(product.column_count, kWidest);
  int first = block_start(product.first_block, count, product.column_count);
  for (int block = product.first_block; block < product.last_block; ++block) {
    const int next = block_start(block + 1, count, product.column_count);
    switch (product.vectors) {
      case 1:
        multiply_width<1>(product, first, next - first);
        break;
      case 2:
        multiply_width<2>(product, first, next - first);
        break;
      default:
        multiply_width<3>(product, first, next - first);
    }
    first = next;
  }
}

}  // namespace
}  // namespace gk
