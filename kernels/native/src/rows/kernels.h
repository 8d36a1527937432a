// Convolutions and linear layers on GK_ROWS: images are the rows of bfloat16 products.

#pragma once

#include <stdint.h>

#include "isa/activation.h"

namespace gk {

// A block of GK_ROWS is 32 channels of all images of a micro-batch at one position; a product takes
// 16 of its images.
constexpr int kRowChannels = 32;
constexpr int kRowImages = 16;

// One place along an axis: the output there, or a group of neighbouring ones, and what it meets.
// Weights have a slot for every input that they can meet; those of inputs outside the map are left
// out at both ends.
struct RowSite {
  int output;  // the first
  int input;   // of the first slot
  int slot;    // the first
  int slots;
};

// Sites along an axis that share their weights, outputs rising.
struct RowSites {
  const RowSite* sites;
  int count;
  int slots;  // that the weights have
  int step;   // from the input of one slot to that of the next
};

// The weights of up to 32 columns.
struct RowPanel {
  const uint16_t* weights;  // [slots of 3 axes][blocks][tiles][16 pairs of channels][16][2]
  const float* shift;       // [tiles][16]
  int64_t bytes;
  int first_block;  // of the input's channels
  int blocks;
  int tiles;         // 1 or 2, of 16 columns
  uint32_t columns;  // a bit for each that exists
};

// All sites of three axes with one panel, on the images of a micro-batch.
struct RowTask {
  RowSites axes[3];
  RowPanel panel;
  const char* next;  // weights that will be needed soon
  int64_t next_bytes;
  const uint16_t* input;
  int input_axes[3];
  int input_blocks;  // at a position
  int capacity;
  int images;
  Activation activation;
  float alpha;
  float* scratch;  // kRowScratch floats, aligned to 64
};

// Sums of a product, at most 4 tiles; those of the one before wait to be finished.
constexpr int kRowSums = 4 * 256;
constexpr int kRowScratch = 2 * kRowSums;

// One block of channels of the output, in GK_ROWS.
struct RowBlock {
  uint16_t* data;
  int axes[3];
  int blocks;  // at a position
  int block;
};

// Columns of one tile of a panel that lie side by side in the stage.
struct RowRun {
  int tile;
  uint32_t columns;  // a bit for each of 16
  int64_t offset;    // where the tile's first column would lie, from the site's place
};

// Outputs of every image before they are stored: float32, or uint8. Straight: the caller's own
// array, where a panel is one run and nothing may be written for absent images.
struct RowStage {
  void* data;
  int64_t image;  // elements from one image to the next
  int64_t site;   // and from one site of the last axis to the next
  const RowRun* runs;
  int run_count;
  const uint32_t* columns;  // [sites of the last axis] of the panel that are wanted
  bool straight;
  bool bytes;
  float scale;  // of bytes, and what is added then
  float offset;
  uint8_t* finite;
};

struct RowKernels {
  // 32 input channels x 16 columns, [32][stride] float32, to [16 pairs][16][2] bfloat16.
  void (*pack)(const float* from, int stride, uint16_t* to);
  void (*to_rows)(const RowTask& task, const RowBlock& out);
  // The task has one site on each of the first two axes.
  void (*to_stage)(const RowTask& task, const RowStage& out);
};

// Only these sets multiply bfloat16.
#if defined(__x86_64__)
extern const RowKernels rows_avx512_bf16, rows_amx;
#endif

}  // namespace gk
