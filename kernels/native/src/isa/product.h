// The product of a few rows and a few panels of columns, held in registers from the first tap to
// the last. For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

constexpr int kMostRows = 12;
constexpr int kMostPanels = 4;
constexpr int kMostVectors = 2;
// Where rows are so few, weights are not read as fast as they are used: they are fetched so many
// words before, to the nearest cache: 5 to 8 % faster than to the second, at one image.
constexpr int kFewRows = 4;
constexpr int kAhead = 16;
// More rows use a word for longer, and 6 words before would do for weights in the second cache: those
// beyond it are 3 to 10 % faster so.
constexpr int kSoon = 24;
constexpr int kCacheLine = 64;
// Sums that fit in the registers beside weights and an input.
constexpr int kMostSums = GK_VECTOR_BYTES == 64 ? 24 : 12;

struct Product {
  const uint32_t* rows[kMostRows];  // what the first tap reads
  const int64_t* steps;
  const int32_t* taps;
  int tap_count;
  int words;
  const uint32_t* weights;  // of the first panel
  int64_t panel_words;
  const float* shift;
  float* sums[kMostRows];  // of a row: panels * vectors * lanes, of any alignment
  int fetched;  // rows whose sums' memory is fetched while each of the first taps is multiplied
  bool streams = false;  // past the caches; sums are aligned to the vector then
  float* odd;  // null, or a vector that becomes NaN where sums of its lane are not finite, else 0

  void sums_to(float* first, int64_t stride, int count) {
    for (int r = 0; r < count; ++r) sums[r] = first + r * stride;
  }
};

struct Float32 {
  using Weight = float;
  static constexpr int kMost = kMostRows;
  GK_INLINE static Vector load_weights(const Weight* from) { return load(from); }
  GK_INLINE static Vector multiply(const uint32_t* input, Vector weights, Vector sum) {
    return multiply_add(broadcast(*reinterpret_cast<const float*>(input)), weights, sum);
  }
};

#if defined(__AVX512F__)
// Weights as float16, which are the same numbers: where rows are few, reading them takes the time.
struct Float32OfHalves : Float32 {
  using Weight = uint16_t;
  static constexpr int kMost = kFewRows;
  GK_INLINE static Vector load_weights(const Weight* from) {
    // All lanes by mask: the plain intrinsic begins with an undefined vector, which GCC warns of.
    return (Vector)_mm512_maskz_cvtph_ps(0xffff,
                                         _mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
  }
};
#endif

#if defined(__AVX512BF16__)
struct Bfloat16 {
  using Weight = float;  // pairs, which are moved alike
  static constexpr int kMost = kMostRows;
  GK_INLINE static Vector load_weights(const Weight* from) { return load(from); }
  GK_INLINE static Vector multiply(const uint32_t* input, Vector weights, Vector sum) {
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(*input),
                                    (__m512bh)weights);
  }
};
#endif

// Fetches what will be written, also the line that misaligned floats end in.
GK_INLINE void fetch_floats(const float* to, int count) {
  constexpr int kLineFloats = kCacheLine / 4;
  for (int i = 0; i < count; i += kLineFloats) __builtin_prefetch(to + i, 1, 3);
  __builtin_prefetch(to + count - 1, 1, 3);
}

// One chain of sums an element, taps and channels rising: the same bits in every tile.
template <class Type, int kRows, int kPanels, int kVectors>
void multiply(const Product& product) {
  constexpr int kWidth = kVectors * kVector;
  Vector sums[kRows][kPanels][kVectors];
  GK_UNROLL for (int p = 0; p < kPanels; ++p) {
    GK_UNROLL for (int v = 0; v < kVectors; ++v) {
      const Vector shift = load(product.shift + p * kWidth + v * kVector);
      GK_UNROLL for (int r = 0; r < kRows; ++r) sums[r][p][v] = shift;
    }
  }
  const int64_t words = product.words;
  int fetched = 0;
  for (int t = 0; t < product.tap_count; ++t) {
    for (int i = 0; i < product.fetched && fetched < kRows; ++i, ++fetched) {
      fetch_floats(product.sums[fetched], kPanels * kWidth);
    }
    // Bytes are counted up to zero: rows, count and weights take all registers. Two words at a time
    // are a tenth quicker: less is counted and fetched from the stack beside the products.
    const char* rows[kRows];
    const int64_t end = product.steps[t] + words;
    GK_UNROLL for (int r = 0; r < kRows; ++r) {
      rows[r] = reinterpret_cast<const char*>(product.rows[r] + end);
    }
    const auto* from = reinterpret_cast<const typename Type::Weight*>(product.weights) +
                       product.taps[t] * words * kWidth;
#pragma GCC unroll 2
    for (int64_t k = -words * 4; k < 0; k += 4, from += kWidth) {
      Vector weights[kPanels][kVectors];
      GK_UNROLL for (int p = 0; p < kPanels; ++p) {
        GK_UNROLL for (int v = 0; v < kVectors; ++v) {
          const auto* here = from + p * product.panel_words + v * kVector;
          if (v * kVector * sizeof(*here) % kCacheLine == 0) {
            __builtin_prefetch(here + (kRows <= kFewRows ? kAhead : kSoon) * kWidth, 0, 3);
          }
          weights[p][v] = Type::load_weights(here);
        }
      }
      GK_UNROLL for (int r = 0; r < kRows; ++r) {
        GK_UNROLL for (int p = 0; p < kPanels; ++p) {
          GK_UNROLL for (int v = 0; v < kVectors; ++v) {
            sums[r][p][v] = Type::multiply(reinterpret_cast<const uint32_t*>(rows[r] + k),
                                           weights[p][v], sums[r][p][v]);
          }
        }
      }
    }
  }
  GK_UNROLL for (int r = 0; r < kRows; ++r) {
    GK_UNROLL for (int p = 0; p < kPanels; ++p) {
      GK_UNROLL for (int v = 0; v < kVectors; ++v) {
        float* to = product.sums[r] + p * kWidth + v * kVector;
        if (product.streams) {
          stream(to, sums[r][p][v]);
        } else {
          store_unaligned(to, sums[r][p][v]);
        }
      }
    }
  }
  if (!product.odd) return;
  Vector odd[kVectors] = {};
  GK_UNROLL for (int r = 0; r < kRows; ++r) {
    GK_UNROLL for (int p = 0; p < kPanels; ++p) {
      GK_UNROLL for (int v = 0; v < kVectors; ++v) {
        odd[v] = multiply_add(sums[r][p][v], broadcast(0), odd[v]);
      }
    }
  }
  GK_UNROLL for (int v = 1; v < kVectors; ++v) odd[0] += odd[v];
  store(product.odd, odd[0]);
}

template <class Type, int kPanels, int kVectors, int kRows = 1>
GK_INLINE void multiply_rows(int rows, const Product& product) {
  if constexpr (kRows <= Type::kMost && kRows * kPanels * kVectors <= kMostSums) {
    if (rows == kRows) return multiply<Type, kRows, kPanels, kVectors>(product);
    multiply_rows<Type, kPanels, kVectors, kRows + 1>(rows, product);
  }
}

template <class Type>
void multiply_any(int rows, int panels, int vectors, const Product& product) {
  if (vectors == 1 && panels == 2) return multiply_rows<Type, 2, 1>(rows, product);
  if (vectors == 1) return multiply_rows<Type, 1, 1>(rows, product);
  if (panels == 4) return multiply_rows<Type, 4, 2>(rows, product);
  if (panels == 2) return multiply_rows<Type, 2, 2>(rows, product);
  multiply_rows<Type, 1, 2>(rows, product);
}

// Rows of a tile where `vectors` are those of a panel.
GK_INLINE int most_rows(int vectors) {
  const int fit = kMostSums / vectors;
  return fit < kMostRows ? fit : kMostRows;
}

// Panels that are worked on side by side: more chains and streams where rows are few.
GK_INLINE int panels_beside(int rows, int vectors, int left) {
  if (vectors == 1) return left >= 2 && rows * 2 <= kMostSums ? 2 : 1;
  for (int panels = kMostPanels; panels > 1; panels /= 2) {
    if (panels <= left && rows * panels * vectors <= kMostSums) return panels;
  }
  return 1;
}

}  // namespace
}  // namespace gk
