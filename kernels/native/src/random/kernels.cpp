#include "random/kernels.h"

#include "random/functions.h"
#include "random/philox.h"
#include "random/quantile.h"

namespace gk {
namespace {

// A block's four numbers, as bits: a vector for each, its lanes are blocks.
struct Four {
  Halves32 number[4];
};

GK_INLINE Halves32 bits_of_singles(Singles value) { return reinterpret_cast<Halves32>(value); }

// The 31-bit integer of a word, as Triton folds it.
GK_INLINE Halves32 folded(Longs word) {
  const Halves32 low = __builtin_convertvector(word, Halves32);
  return low ^ (low >> 31);
}

// In [0, 1), as Triton's uint_to_uniform_float.
GK_INLINE Singles uniform_of(Longs word) {
  return __builtin_convertvector(folded(word), Singles) * 4.6566127342e-10f;
}

struct Words {
  GK_INLINE Four operator()(const Columns& c) const {
    Four made;
    for (int i = 0; i < 4; ++i) made.number[i] = __builtin_convertvector(c.word[i], Halves32);
    return made;
  }
};

struct Uniforms {
  GK_INLINE Four operator()(const Columns& c) const {
    Four made;
    for (int i = 0; i < 4; ++i) made.number[i] = bits_of_singles(uniform_of(c.word[i]));
    return made;
  }
};

// Box, Muller (1958), with the products in float32 that Triton's pair_uniform_to_normal has.
struct Normals {
  GK_INLINE Four operator()(const Columns& c) const {
    Four made;
    for (int i = 0; i < 4; i += 2) {
      const Singles source = uniform_of(c.word[i]);
      const Singles smallest = 1.0e-7f - Singles{};
      const Doubles logarithm = log_of(widened(source < smallest ? smallest : source));
      const Doubles radius = square_root(-2.0 * logarithm);
      const SineCosine of = sine_cosine_of(widened(uniform_of(c.word[i + 1]) * 6.283185307179586f));
      made.number[i] = bits_of_singles(narrowed(radius * of.cosine));
      made.number[i + 1] = bits_of_singles(narrowed(radius * of.sine));
    }
    return made;
  }
};

struct TruncatedNormals {
  double tail;
  float bound;

  GK_INLINE Four operator()(const Columns& c) const {
    Four made;
    for (int i = 0; i < 4; ++i) {
      // The middle of each of the 2^31 cells: never 0 or 1, so the quantile is finite.
      const Doubles cell = __builtin_convertvector(folded(c.word[i]), Doubles);
      const Doubles position = (cell + 0.5) * 0x1p-31;
      const Singles value = narrowed(quantile_of(tail + position * (1.0 - 2.0 * tail)));
      // float32 rounding may step over the bound by half an ulp.
      const Singles most = bound - Singles{};
      const Singles below = value > most ? most : value;
      made.number[i] = bits_of_singles(below < -most ? -most : below);
    }
    return made;
  }
};

GK_INLINE Halves32 interleaved_low(Halves32 a, Halves32 b) {
#if GK_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif GK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
  return __builtin_shufflevector(a, b, 0, 2);
#endif
}
GK_INLINE Halves32 interleaved_high(Halves32 a, Halves32 b) {
#if GK_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif GK_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
  return __builtin_shufflevector(a, b, 1, 3);
#endif
}

// The numbers of all blocks one after the other.
GK_INLINE Four by_block(const Four& by_number) {
  const Halves32* n = by_number.number;
  const Halves32 even[2] = {interleaved_low(n[0], n[2]), interleaved_high(n[0], n[2])};
  const Halves32 odd[2] = {interleaved_low(n[1], n[3]), interleaved_high(n[1], n[3])};
  return {{interleaved_low(even[0], odd[0]), interleaved_high(even[0], odd[0]),
           interleaved_low(even[1], odd[1]), interleaved_high(even[1], odd[1])}};
}

// The blocks of all samples, one sample after the other, a vector of blocks at a time.
template <class Make>
GK_INLINE void fill(const RandomCall& call, const Make& make) {
  if (call.size == 0 || call.samples == 0) return;
  const uint64_t blocks = (static_cast<uint64_t>(call.size) + 3) / 4;
  const int64_t total = call.samples * static_cast<int64_t>(blocks);
  const bool whole = call.size % 4 == 0;
  const Keys keys = round_keys(call.seed);
  uint32_t* to = static_cast<uint32_t*>(call.numbers);
  Longs block, sample;
  for (int i = 0; i < kDoubles; ++i) {
    block[i] = static_cast<uint64_t>(i) % blocks;
    sample[i] = static_cast<uint64_t>(i) / blocks;
  }
  for (int64_t first = 0; first < total; first += kDoubles) {
    const Longs number = sample + call.start;
    const Four made =
        by_block(make(philox({{block, number, number >> 32, longs(call.stream)}}, keys)));
    if (whole && first + kDoubles <= total) {
      __builtin_memcpy(to + 4 * first, &made, sizeof(made));
    } else {
      for (int i = 0; i < kDoubles && first + i < total; ++i) {
        const int64_t element = 4 * static_cast<int64_t>(block[i]);
        const int64_t left = call.size - element;
        __builtin_memcpy(to + static_cast<int64_t>(sample[i]) * call.size + element,
                         reinterpret_cast<const char*>(&made) + 16 * i,
                         left < 4 ? 4 * static_cast<size_t>(left) : 16);
      }
    }
    block += kDoubles % blocks;
    sample += kDoubles / blocks;
    const Mask over = block >= blocks;
    block = over ? block - blocks : block;
    sample -= reinterpret_cast<Longs>(over);
  }
}

void words(const RandomCall& call) { fill(call, Words{}); }
void uniforms(const RandomCall& call) { fill(call, Uniforms{}); }
void normals(const RandomCall& call) { fill(call, Normals{}); }
void truncated_normals(const RandomCall& call) {
  fill(call, TruncatedNormals{call.tail, call.bound});
}

}  // namespace

const RandomKernels GK_TABLE(random) = {words, uniforms, normals, truncated_normals};

}  // namespace gk
