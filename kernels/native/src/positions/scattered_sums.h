// Where products of input positions with all taps are added to the outputs they meet. For
// positions/scattered.h only.

#pragma once

#include "isa/vector.h"
#include "positions/kernels.h"

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

// Products of neighbours, [rows] of kCount floats `across` apart, to sums `step` apart. Exactly as
// wide as the taps of a stride: a load with a mask would reach into what the neighbour has just
// stored, and wait for it.
template <int kCount>
void add_rows(float* to, int64_t step, const float* from, int64_t across, int rows) {
  typedef float Floats __attribute__((vector_size(kCount * sizeof(float))));
  for (int i = 0; i < rows; ++i, to += step, from += across) {
    Floats sum, more;
    __builtin_memcpy(&sum, to, sizeof(sum));
    __builtin_memcpy(&more, from, sizeof(more));
    sum += more;
    __builtin_memcpy(to, &sum, sizeof(sum));
  }
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

// A line of taps by itself, from `rows` neighbours on.
void add_line(const ScatterLine& line, int64_t to, int64_t from, int64_t step, int across, int rows,
              int count) {
  float* sums = line.sums + to;
  const float* products = line.products + from;
  switch (count) {
    case 1:
      return add_rows<1>(sums, step, products, across, rows);
    case 2:
      return add_rows<2>(sums, step, products, across, rows);
    case 4:
      return add_rows<4>(sums, step, products, across, rows);
    case 8:
      return add_rows<8>(sums, step, products, across, rows);
  }
  for (int i = 0; i < rows; ++i, sums += step, products += across) {
    add_floats(sums, products, count);
  }
}

// Neighbours along the last axis meet overlapping outputs. What one has stored the next can load
// only after a while: in between come the other lines, or, where they are few, other outputs.
void add_tile(const PositionLayer& layer, const Strip& strip, const ScatterTile& tile) {
  const PositionScatter& scatter = *layer.scatter;
  const int channels = layer.out_channels;
  const int stride = scatter.stride[2];
  const int positions = strip.end[2] - strip.begin[2];
  ScatterLine lines[kMostScattered];
  const int line_count = list_lines(layer, strip, tile, lines);
  for (int tap = 0; tap < scatter.kernel[2]; tap += scatter.taps) {
    const int left = scatter.kernel[2] - tap;
    const int count = (left < scatter.taps ? left : scatter.taps) * channels;
    const int output = tile.first * stride - scatter.padding[2] + tap - strip.begin[2];
    // Those that reach into the strip.
    int first = 0;
    int last = tile.count;
    while (first < last && output + first * stride <= -scatter.kernel[2]) ++first;
    while (first < last && output + (last - 1) * stride >= positions) --last;
    int64_t to = static_cast<int64_t>(output + first * stride) * channels;
    int64_t from = static_cast<int64_t>(first) * tile.across + tap * channels;
    const int64_t step = static_cast<int64_t>(stride) * channels;
    if (line_count == 1) {
      add_line(lines[0], to, from, step, tile.across, last - first, count);
      continue;
    }
    for (int i = first; i < last; ++i, to += step, from += tile.across) {
      for (int line = 0; line < line_count; ++line) {
        add_floats(lines[line].sums + to, lines[line].products + from, count);
      }
    }
  }
}

}  // namespace
}  // namespace gk
