// Recurrent layers: LSTM and GRU over a sequence, a few images at a time.

#pragma once

#include <stdint.h>

#include "isa/sets.h"

namespace gk {

// A product of rows: [panels][words][width], and a shift [panels][width].
struct RecurrentMatrix {
  const float* weights;
  const float* shift;
  int panels;
  int words;
};

// Gates stand `padded` columns apart, so that vectors do not straddle them.
struct RecurrentLayer {
  bool lstm;
  bool reverse;
  bool linear_before_reset;
  bool states;   // whether last states are stored
  bool checked;  // whether numbers that are not finite are told
  int time;
  int features;
  int hidden;
  int padded;             // hidden, up to a multiple of the lanes
  RecurrentMatrix gates;  // of (x, h): LSTM i, o, f, c; GRU z, r
  RecurrentMatrix input;  // GRU's h of x
  RecurrentMatrix state;  // GRU's h of h, or of r * h
};

// Element e of image i of a value with n elements is at e * element + i * (n or 1).
struct RecurrentCall {
  const float* sequence;  // [time, features]
  const float* first[2];  // h and c [hidden], or null: zeros
  float* hidden;          // [time, hidden]
  float* last[2];         // h and c [hidden]
  int64_t element;        // 1, or the capacity of lanes
  bool plain;
  int begin;  // images
  int end;
  float* scratch;
  uint8_t* finite;
};

struct RecurrentKernels {
  int lanes;  // of a vector
  int width;  // of a panel
  int64_t (*scratch_floats)(const RecurrentLayer& layer);
  void (*run)(const RecurrentLayer& layer, const RecurrentCall& call);
};

GK_DECLARE(RecurrentKernels, recurrent);

}  // namespace gk
