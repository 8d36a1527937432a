// Convolutions and linear layers for few images: the rows of the product are (image, anchor)
// pairs, its columns the output channels (of all phases that share an anchor).

#pragma once

#include <stdint.h>

#include "isa/activation.h"
#include "isa/sets.h"

namespace gk {

// Anchors that meet the same taps. What two of their taps read is always equally far apart.
struct PositionClass {
  const int64_t* inputs;   // [rows] word of an image that the first tap reads
  const int32_t* outputs;  // [rows][phases] output position, or -1 outside the map
  const int64_t* steps;    // [taps] words from there to what this tap reads
  const int32_t* taps;     // [tap_count] which taps, rising
  int rows;
  int tap_count;
  // Staged layers: [rows][taps] input position, or -1 outside the map; null in others.
  const int32_t* places;
};

// Columns of a product with all taps: taps * out_channels.
constexpr int kMostScattered = 512;

// How inputs and outputs of a layer meet whose input positions are multiplied with all taps at
// once, which serves few output channels: three axes, outermost first. Input i meets, by tap t,
// output i * stride + t * dilation - padding.
struct PositionScatter {
  int input[3];
  int output[3];
  int kernel[3];
  int stride[3];
  int padding[3];
  int dilation[3];    // of the last axis 1
  int outermost;      // the axis that is cut into strips
  int strip;          // so many of its positions at a time
  int tile;           // input positions of a product, neighbours along the last axis
  int taps;           // of the last axis that are added at a time
  int64_t row_floats;  // of the sums of a row of outputs
};

// The anchors of a class on a padded map.
struct PaddedClass {
  int anchors[3];
  bool on;  // whether tiles go on from line to line, over the zeros between them
};

// How a strip of a map lies with zeros around it: lines of pitch[1] positions, pitch[0] of them to
// a plane. An anchor reads, at a step of 0, the position that has its place.
struct PositionPadding {
  const PaddedClass* classes;
  int input[3];
  int first[3];   // input position at the first place; along `outermost` for a strip from 0 on
  int pitch[2];
  int outermost;  // the axis that is cut into strips
  int units;      // anchors along it
  int strip;      // so many of them at a time
  int64_t unit;       // positions from one to the next
  int64_t positions;  // of a whole strip
};

enum class PositionStore : int { kFloats, kBfloats, kPlanes, kImages };

// A word is 4 bytes of input: one float32 channel, or two bfloat16 channels.
struct PositionLayer {
  const PositionClass* classes;
  int class_count;
  // [groups][panels][taps][words][vectors of a panel], two channels in each lane for bfloat16.
  const uint32_t* weights;
  const float* shift;  // [groups][panels][vectors of a panel]
  int groups;
  int panels;
  int vectors;  // of a panel: 1 or 2
  int taps;
  int words;    // of a group's channels at one position
  int columns;  // of a group: phases * out_channels
  int phases;
  int out_channels;  // of a group
  bool bfloat16;
  bool halves;  // weights are float16, two in a word of memory, and rows of a tile at most 4
  // Rows are gathered for AMX tiles, 16 words at a time; an absent input is zero.
  bool staged;
  // Null in all but such layers: weights are [panels][words][vectors of a panel] of all taps, last
  // axis and channels fastest; shift is [out_channels].
  const PositionScatter* scatter;
  // Null in all but layers for AMX tiles whose rows are loaded as they lie, in strips; `steps` of
  // their classes are words from an anchor's place to what a tap reads, panels have one vector.
  const PositionPadding* padding;
  Activation activation;
  float alpha;
  PositionStore store;
  bool checked;  // whether numbers that are not finite are told
  float scale;   // of PositionStore::kImages
  float offset;
  int64_t input_words;     // of an image
  int64_t position_words;  // of an input position
  int64_t positions;       // of an output image
};

// A share of a layer's work on some images.
struct PositionCall {
  const uint32_t* input;
  void* output;
  int images;
  int part;
  int parts;
  uint8_t* finite;
  // Of staged layers: rows of a block, with all taps of a class. Of scattered ones: the products of
  // a tile, then the sums of a strip. Of padded ones: the inputs of a strip.
  uint32_t* stage;
};

// Rows of a tile that weights of float16 may have.
constexpr int kMostHalfRows = 4;

struct PositionKernels {
  int lanes;      // of a vector
  int rows[2];    // of a product with panels of one vector, and of two
  bool bfloat16;  // whether bfloat16 can be multiplied
  bool halves;    // whether weights may be float16
  int block_rows;  // rows of a block of staged layers; 0 where there are no tiles
  void (*run)(const PositionLayer& layer, const PositionCall& call);
};

GK_DECLARE(PositionKernels, positions);

}  // namespace gk
