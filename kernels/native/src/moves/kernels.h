// Between forms and places, and elements moved without arithmetic.

#pragma once

#include <stdint.h>

#include "isa/sets.h"

namespace gk {

// One conversion; forms are those of gk_form. Positions and channels are those of the form that is
// not flat, if either is not (GK_ROWS, GK_PLAIN16 and GK_PLANES are not).
struct Conversion {
  int from_form;
  int to_form;
  int64_t positions;
  int64_t channels;
  int capacity;
  bool check;    // clear `finite` where a number is not
  float scale;   // to GK_IMAGES: value * scale, rounded, plus offset
  float offset;
};

// What part of a conversion to do: positions begin .. end - 1, and a share of that.
struct ConversionShare {
  int64_t begin;
  int64_t end;
  int images;
  int part;
  int parts;
  void* scratch;  // kConversionScratch bytes, aligned to 64
  uint8_t* finite;
};

// Images and numbers of each that are on their way at a time: they fit the first cache.
constexpr int kPanelImages = 16;
constexpr int kPanelNumbers = 256;
// Blocks of channels are written whole, beyond the end of a panel's row.
constexpr int kPanelStride = kPanelNumbers + 32;
constexpr int kConversionScratch = kPanelImages * kPanelStride * 4;

// Units out[to + i] = source[from + i * step], i = 0 .. count - 1. A unit is an element of GK_LANES
// (all images) and GK_PLAIN, a block of 32 channels of GK_ROWS and GK_PLAIN16.
struct Run {
  int64_t to;
  int64_t from;
  int64_t step;
  int64_t count;
  int source;  // number of an input, or kTable
};
constexpr int kTable = -1;

// Units that lie `stride` bytes apart and hold `bytes` that matter, for each of `images` that lie
// apart by themselves (of the images in a unit's bytes there is one here).
struct Units {
  int64_t stride;
  int64_t bytes;
  int images;
  int64_t out_image;            // bytes from one image to the next
  const int64_t* source_image;  // the same for each source
  const void* table;            // the model's own units, each for one image
  int64_t table_bytes;          // of a unit of the table: one float32, or 32 bfloat16
};

// Rows of a table by label.
struct Lookup {
  const float* table;  // [classes][size]
  int64_t classes;
  int64_t size;
  int64_t positions;      // labels of an image
  int64_t image_stride;   // floats from one image to the next in the output
  int64_t number_stride;  // floats from one number of a row to the next
};

struct MoveKernels {
  void (*convert)(const Conversion& conversion, const ConversionShare& share, const void* from,
                  void* to);
  // Runs begin .. end - 1 in units of the output; `runs` are `count`, in the order of `to`.
  void (*copy)(const Run* runs, int64_t count, int64_t begin, int64_t end, const Units& units,
               const void* const* sources, void* out);
  // Labels of positions begin .. end - 1; a label that is not in the table gives NaN.
  void (*look_up)(const Lookup& lookup, const int64_t* labels, float* out, int images,
                  int64_t begin, int64_t end);
};

GK_DECLARE(MoveKernels, moves);

}  // namespace gk
