// Convolutions and linear layers on GK_LANES: images in the vector lanes, float32.

#pragma once

#include <stdint.h>

#include "isa/activation.h"
#include "isa/sets.h"

namespace gk {

// One factor pair of a product: rows of images, and a panel of weights.
struct LaneTerm {
  const float* rows;   // [depth][row_stride], the first lane wanted
  const float* panel;  // the whole panel: [block][panel_depth][width of the block]
};

// columns[j][lane] = activation(shift[j] + sum over terms and depth of weight * rows), on some
// lanes. Panels have their columns in blocks (lanes/blocks.h). The order of the sum is that of the
// terms, in each of them that of the depth.
struct LaneProduct {
  const LaneTerm* terms;
  int term_count;
  int panel_depth;  // of which `depth` are summed, from `first_depth` on
  int first_depth;
  int depth;
  int64_t row_stride;
  float* const* columns;  // of the whole panel; aligned to a vector
  int column_count;
  int first_block;
  int last_block;      // exclusive
  int vectors;         // 1 .. most_vectors
  const float* shift;  // [column_count], or null: add to what the columns hold
  bool finish;         // the last part of the sum: apply the activation
  Activation activation;
  float alpha;
};

// One output position of a convolution whose groups have one channel each: columns[channel][lane] =
// activation(shift[channel] + sum over terms of panel[channel] * rows[channel]).
struct LaneDepthwise {
  const LaneTerm* terms;
  int term_count;
  int channels;
  int64_t row_stride;
  float* columns;  // [channel][row_stride]
  int vectors;
  const float* shift;  // [channels]
  Activation activation;
  float alpha;
};

// Winograd's F(4, 2) on rows of images, along the second (y) and third (x) axis or one of them:
// such an axis has 5 points and 4 outputs, the other 1. Tile and transform are [y][x], x fastest.
struct LaneTransform {
  int points_y;
  int points_x;
  const float* const* sources;  // [points]: inputs of the tile, [channel][map_stride]
  float* const* targets;        // [outputs]: outputs of the tile, likewise; null ones are left out
  int64_t map_stride;
  float* transformed;  // [point][channel][row_stride]
  int64_t point_stride;
  int64_t row_stride;
  int channels;
  int vectors;
  const float* shift;  // [channels]
  Activation activation;
  float alpha;
};

struct LaneKernels {
  int vector;        // images of a vector
  int most_vectors;  // of a product
  int widest;        // columns of a block
  void (*multiply)(const LaneProduct& product);
  void (*multiply_depthwise)(const LaneDepthwise& product);
  void (*transform_input)(const LaneTransform& tile);
  void (*transform_output)(const LaneTransform& tile);
};

GK_DECLARE(LaneKernels, lanes);

}  // namespace gk
