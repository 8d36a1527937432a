// Products of input positions with all taps at once, added to the outputs that they meet: strip by
// strip of the output map. For positions/kernels.cpp only.
//
// The order of an output's sum is that of the inputs' tiles, and in each of them that of the groups
// of taps, then of the inputs: a grid of tiles that neither strips nor workers move.

#pragma once

#include "positions/finish.h"
#include "positions/scattered_sums.h"
#include "positions/tiles.h"

namespace gk {
namespace {

alignas(64) constexpr float kNothing[kMostPanels * kMostVectors * kVector] = {};

// Whether inputs first .. last of an axis reach into the strip.
GK_INLINE bool reach(const PositionScatter& scatter, int axis, int first, int last,
                     const Strip& strip) {
  const int begin = first * scatter.stride[axis] - scatter.padding[axis];
  const int end = last * scatter.stride[axis] - scatter.padding[axis] +
                  (scatter.kernel[axis] - 1) * scatter.dilation[axis];
  return end >= strip.begin[axis] && begin < strip.end[axis];
}

template <class Type>
void multiply_vectors(const PositionLayer& layer, const uint32_t* input, int rows, float* products,
                      int across) {
  static const int64_t step = 0;
  static const int32_t tap = 0;
  const int width = layer.vectors * kVector;
  Product product;
  for (int r = 0; r < rows; ++r) product.rows[r] = input + r * layer.position_words;
  product.steps = &step;
  product.taps = &tap;
  product.tap_count = 1;
  product.words = layer.words;
  product.panel_words = static_cast<int64_t>(layer.words) * width;
  product.shift = kNothing;
  product.odd = nullptr;
  product.fetched = 0;
  for (int panel = 0; panel < layer.panels;) {
    const int beside = panels_beside(rows, layer.vectors, layer.panels - panel);
    product.weights = layer.weights + panel * product.panel_words;
    product.sums_to(products + panel * width, across, rows);
    multiply_any<Type>(rows, beside, layer.vectors, product);
    panel += beside;
  }
}

#if defined(__AMX_BF16__)
// A tile of rows by kColumns vectors of columns, from the column tile `first` on.
template <int kColumns>
void multiply_columns(const PositionLayer& layer, const uint32_t* input, int first,
                      float* products, int across) {
  static_assert(kColumns >= 1 && kColumns <= 4);
  const int64_t width = layer.vectors * kVector;
  const uint32_t* weights[kColumns];
  for (int c = 0; c < kColumns; ++c) {
    weights[c] = layer.weights + (first + c) / layer.vectors * layer.words * width +
                 (first + c) % layer.vectors * kVector;
  }
  load_tile<0>(kNothing, 0);
  if constexpr (kColumns > 1) load_tile<1>(kNothing, 0);
  if constexpr (kColumns > 2) load_tile<2>(kNothing, 0);
  if constexpr (kColumns > 3) load_tile<3>(kNothing, 0);
  for (int64_t k = 0; k < layer.words; k += kTileWords) {
    load_tile<4>(input + k, layer.position_words * 4);
    load_tile<5>(weights[0] + k * width, width * 4);
    multiply_tiles<0, 4, 5>();
    if constexpr (kColumns > 1) {
      load_tile<6>(weights[1] + k * width, width * 4);
      multiply_tiles<1, 4, 6>();
    }
    if constexpr (kColumns > 2) {
      load_tile<7>(weights[2] + k * width, width * 4);
      multiply_tiles<2, 4, 7>();
    }
    if constexpr (kColumns > 3) {
      load_tile<5>(weights[3] + k * width, width * 4);
      multiply_tiles<3, 4, 5>();
    }
  }
  float* to = products + first * kVector;
  store_tile<0>(to, across * 4);
  if constexpr (kColumns > 1) store_tile<1>(to + kVector, across * 4);
  if constexpr (kColumns > 2) store_tile<2>(to + 2 * kVector, across * 4);
  if constexpr (kColumns > 3) store_tile<3>(to + 3 * kVector, across * 4);
}

void multiply_rows_of_tile(const PositionLayer& layer, const uint32_t* input, float* products,
                           int across) {
  const int all = layer.panels * layer.vectors;
  int first = 0;
  for (; first + 4 <= all; first += 4) {
    multiply_columns<4>(layer, input, first, products, across);
  }
  if (all - first == 3) multiply_columns<3>(layer, input, first, products, across);
  if (all - first == 2) multiply_columns<2>(layer, input, first, products, across);
  if (all - first == 1) multiply_columns<1>(layer, input, first, products, across);
}
#endif

void multiply_positions(const PositionLayer& layer, const uint32_t* input, int count,
                        float* products, int across) {
#if defined(__AMX_BF16__)
  if (layer.bfloat16 && count == kRowsOfTile) {
    return multiply_rows_of_tile(layer, input, products, across);
  }
#endif
  const int most = most_rows(layer.vectors);
  for (int first = 0; first < count; first += most) {
    const int rows = count - first < most ? count - first : most;
    const uint32_t* from = input + first * layer.position_words;
    float* to = products + static_cast<int64_t>(first) * across;
#if defined(__AVX512BF16__)
    if (layer.bfloat16) {
      multiply_vectors<Bfloat16>(layer, from, rows, to, across);
      continue;
    }
#endif
    multiply_vectors<Float32>(layer, from, rows, to, across);
  }
}

void start_strip(const PositionLayer& layer, const Strip& strip) {
  const PositionScatter& scatter = *layer.scatter;
  const int channels = layer.out_channels;
  const int count = (strip.end[2] - strip.begin[2]) * channels;
  const int64_t rows =
      static_cast<int64_t>(strip.end[0] - strip.begin[0]) * (strip.end[1] - strip.begin[1]);
  float* first = strip.sums + (scatter.kernel[2] - 1) * channels;
  for (int i = 0; i < count; ++i) first[i] = layer.shift[i % channels];
  for (int64_t row = 1; row < rows; ++row) {
    __builtin_memcpy(first + row * scatter.row_floats, first, sizeof(float) * count);
  }
}

// Sums [count] of neighbouring positions from `position` on, to where the layer stores them.
void store_line(const PositionLayer& layer, void* image, int64_t position, int count, float* sums,
                uint8_t* finite) {
  const int channels = layer.out_channels;
  for (int i = 0; i < count; i += kVector) {
    store_unaligned(sums + i,
                    activate(layer.activation, layer.alpha, load_unaligned(sums + i)));
  }
  if (layer.checked && !all_finite(sums, count)) mark_not_finite(finite);
  if (layer.store == PositionStore::kImages) {
    const Vector scale = broadcast(layer.scale), offset = broadcast(layer.offset);
    uint8_t* to = static_cast<uint8_t*>(image) + position * channels;
    for (int i = 0; i < count; i += kVector) {
      const Integers made = to_uint8(load_unaligned(sums + i), scale, offset);
      const int last = count - i < kVector ? count - i : kVector;
      for (int lane = 0; lane < last; ++lane) to[i + lane] = static_cast<uint8_t>(made[lane]);
    }
  } else if (layer.store == PositionStore::kFloats || channels == 1) {
    __builtin_memcpy(static_cast<float*>(image) + position * channels, sums,
                     sizeof(float) * count);
  } else {
    float* to = static_cast<float*>(image) + position;
    for (int channel = 0; channel < channels; ++channel, to += layer.positions) {
      for (int i = 0; i < count / channels; ++i) to[i] = sums[i * channels + channel];
    }
  }
}

void finish_strip(const PositionLayer& layer, const PositionCall& call, const Strip& strip,
                  int image) {
  const PositionScatter& scatter = *layer.scatter;
  const int count = (strip.end[2] - strip.begin[2]) * layer.out_channels;
  char* output = static_cast<char*>(call.output) + image * image_bytes(layer);
  for (int z = strip.begin[0]; z < strip.end[0]; ++z) {
    for (int y = strip.begin[1]; y < strip.end[1]; ++y) {
      const int64_t position =
          (static_cast<int64_t>(z) * scatter.output[1] + y) * scatter.output[2] + strip.begin[2];
      float* sums =
          row_of(scatter, strip, z, y) + (scatter.kernel[2] - 1) * layer.out_channels;
      store_line(layer, output, position, count, sums, call.finite + image);
    }
  }
}

// The next tile, beside the products of this one: so many rows at once no prefetcher follows.
GK_INLINE void fetch(const uint32_t* from, int64_t words) {
  constexpr int kLineWords = 16;
  for (int64_t word = 0; word < words; word += kLineWords) {
    __builtin_prefetch(from + word, 0, 2);
  }
}

void run_strip(const PositionLayer& layer, const PositionCall& call, const Strip& strip,
               int image) {
  const PositionScatter& scatter = *layer.scatter;
  const int across = layer.panels * layer.vectors * kVector;
  auto* products = reinterpret_cast<float*>(call.stage);
  start_strip(layer, strip);
  for (int z = 0; z < scatter.input[0]; ++z) {
    if (!reach(scatter, 0, z, z, strip)) continue;
    for (int y = 0; y < scatter.input[1]; ++y) {
      if (!reach(scatter, 1, y, y, strip)) continue;
      const uint32_t* row =
          call.input + image * layer.input_words +
          (static_cast<int64_t>(z) * scatter.input[1] + y) * scatter.input[2] *
              layer.position_words;
      for (int x = 0; x < scatter.input[2]; x += scatter.tile) {
        const int left = scatter.input[2] - x;
        const int count = left < scatter.tile ? left : scatter.tile;
        if (!reach(scatter, 2, x, x + count - 1, strip)) continue;
        fetch(row + (x + count) * layer.position_words, count * layer.position_words);
        multiply_positions(layer, row + x * layer.position_words, count, products, across);
        add_tile(layer, strip, {z, y, x, count, products, across});
      }
    }
  }
  finish_strip(layer, call, strip, image);
}

void run_scattered(const PositionLayer& layer, const PositionCall& call) {
  const PositionScatter& scatter = *layer.scatter;
  const int across = layer.panels * layer.vectors * kVector;
  const int64_t units = scatter.output[scatter.outermost];
  const int64_t end = units * call.images * (call.part + 1) / call.parts;
  for (int64_t at = units * call.images * call.part / call.parts; at < end;) {
    Strip strip{{0, 0, 0},
                {scatter.output[0], scatter.output[1], scatter.output[2]},
                reinterpret_cast<float*>(call.stage) + static_cast<int64_t>(scatter.tile) * across};
    const int64_t first = at % units;
    int64_t last = first + scatter.strip < units ? first + scatter.strip : units;
    if (last - first > end - at) last = first + end - at;
    strip.begin[scatter.outermost] = static_cast<int>(first);
    strip.end[scatter.outermost] = static_cast<int>(last);
    run_strip(layer, call, strip, static_cast<int>(at / units));
    at += last - first;
  }
}

}  // namespace
}  // namespace gk
