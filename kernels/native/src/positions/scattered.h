// Products of input positions with all taps at once, added to the outputs that they meet: strip by
// strip of the output map. For positions/kernels.cpp only.
//
// The order of an output's sum is that of the inputs' tiles, and in each of them that of the groups
// of taps, then of the inputs: a grid of tiles that neither strips nor workers move.

#pragma once

#include "positions/finish.h"

namespace gk {
namespace {

// A part of the output map of one image: begin .. end - 1 along each axis, and its sums.
struct Strip {
  int begin[3];
  int end[3];
  float* sums;  // [rows of the first two axes][row_floats]
};

// Input positions first .. first + count - 1 of the row (z, y), and their products with all taps.
struct ScatterTile {
  int z;
  int y;
  int first;
  int count;
  const float* products;  // [count][across]
  int across;
};

GK_INLINE float* row_of(const PositionScatter& scatter, const Strip& strip, int z, int y) {
  const int64_t row =
      static_cast<int64_t>(z - strip.begin[0]) * (strip.end[1] - strip.begin[1]) + y -
      strip.begin[1];
  return strip.sums + row * scatter.row_floats;
}

GK_INLINE void add_floats(float* to, const float* from, int count) {
  int i = 0;
  for (; i + kVector <= count; i += kVector) {
    store_unaligned(to + i, load_unaligned(to + i) + load_unaligned(from + i));
  }
#if defined(__AVX512F__)
  const __mmask16 rest = static_cast<__mmask16>((1u << (count - i)) - 1);
  const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(rest, to + i),
                                   _mm512_maskz_loadu_ps(rest, from + i));
  _mm512_mask_storeu_ps(to + i, rest, sum);
#else
  for (; i < count; ++i) to[i] += from[i];
#endif
}

// A line of taps that meets the strip: where its outputs are summed, and its products.
struct ScatterLine {
  float* sums;
  const float* products;  // of the tile's first position
};

int list_lines(const PositionLayer& layer, const Strip& strip, const ScatterTile& tile,
               ScatterLine* lines) {
  const PositionScatter& scatter = *layer.scatter;
  const int columns = scatter.kernel[2] * layer.out_channels;
  const float* products = tile.products;
  int count = 0;
  for (int z_tap = 0; z_tap < scatter.kernel[0]; ++z_tap) {
    const int z = tile.z * scatter.stride[0] + z_tap * scatter.dilation[0] - scatter.padding[0];
    for (int y_tap = 0; y_tap < scatter.kernel[1]; ++y_tap, products += columns) {
      const int y = tile.y * scatter.stride[1] + y_tap * scatter.dilation[1] - scatter.padding[1];
      if (z < strip.begin[0] || z >= strip.end[0] || y < strip.begin[1] || y >= strip.end[1]) {
        continue;
      }
      lines[count++] = {
          row_of(scatter, strip, z, y) + (scatter.kernel[2] - 1) * layer.out_channels, products};
    }
  }
  return count;
}

// Neighbours along the last axis meet overlapping outputs. What one has stored the next can load
// only after a while: in between come the other lines, or, where they are few, other outputs.
void add_tile(const PositionLayer& layer, const Strip& strip, const ScatterTile& tile) {
  const PositionScatter& scatter = *layer.scatter;
  const int channels = layer.out_channels;
  const int positions = strip.end[2] - strip.begin[2];
  ScatterLine lines[kMostScattered];
  const int line_count = list_lines(layer, strip, tile, lines);
  for (int tap = 0; tap < scatter.kernel[2]; tap += scatter.taps) {
    const int left = scatter.kernel[2] - tap;
    const int count = (left < scatter.taps ? left : scatter.taps) * channels;
    int output = tile.first * scatter.stride[2] - scatter.padding[2] + tap - strip.begin[2];
    int64_t from = tap * channels;
    for (int i = 0; i < tile.count; ++i, output += scatter.stride[2], from += tile.across) {
      if (output <= -scatter.kernel[2] || output >= positions) continue;
      const int64_t to = static_cast<int64_t>(output) * channels;
      for (int line = 0; line < line_count; ++line) {
        add_floats(lines[line].sums + to, lines[line].products + from, count);
      }
    }
  }
}

// Whether inputs first .. last of an axis reach into the strip.
GK_INLINE bool reach(const PositionScatter& scatter, int axis, int first, int last,
                     const Strip& strip) {
  const int begin = first * scatter.stride[axis] - scatter.padding[axis];
  const int end = last * scatter.stride[axis] - scatter.padding[axis] +
                  (scatter.kernel[axis] - 1) * scatter.dilation[axis];
  return end >= strip.begin[axis] && begin < strip.end[axis];
}

void multiply_tile(const PositionLayer& layer, const uint32_t* input, int rows, float* products,
                   int across) {
  alignas(64) static const float zeros[kMostPanels * kMostVectors * kVector] = {};
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
  product.shift = zeros;
  product.stride = across;
  for (int panel = 0; panel < layer.panels;) {
    const int beside = panels_beside(rows, layer.vectors, layer.panels - panel);
    product.weights = layer.weights + panel * product.panel_words;
    product.sums = products + panel * width;
    multiply_any<Float32>(rows, beside, layer.vectors, product);
    panel += beside;
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
        multiply_tile(layer, row + x * layer.position_words, count, products, across);
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
