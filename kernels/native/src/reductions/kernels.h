// Many elements to one, and what is made of such sums: norms, softmax, products of two values.
//
// Elements are counted without images. A lane is one of many sums that are made side by side: an
// image of GK_LANES, a channel or a position of GK_PLAIN.

#pragma once

#include <stdint.h>

#include "isa/activation.h"
#include "isa/sets.h"

namespace gk {

// Element e of lane l lies at float e * scale + l * stride; each image of GK_PLAIN apart.
struct Lanes {
  int64_t count;
  int64_t stride;
  int64_t scale;
  int images;
  int64_t in_image;
  int64_t out_image;
};

// This worker's share of all vectors of all outputs, begin .. end - 1 of the latter.
struct LaneShare {
  int64_t begin;
  int64_t end;
  int part;
  int parts;
};

enum class FoldFunction : int { kMean, kSum, kMax, kMin, kWeighted };

// One output: element `to` is made of elements from + places[begin .. end - 1] of the input.
struct FoldOutput {
  int64_t from;
  int64_t to;
  int64_t begin;
  int64_t end;
  float divisor;  // of a mean
};

struct Fold {
  FoldFunction function;
  const FoldOutput* outputs;
  const int64_t* places;
  const float* weights;  // [places], of kWeighted
};

// act((x - mean) / sqrt(variance + epsilon) * scale + shift) over elements starts[group] +
// places[0 .. count - 1]. Place i of lane l has number group * group_step + i % period +
// l / lanes_of_number * lane_step of scale and shift.
struct Norm {
  const int64_t* starts;
  const int64_t* places;
  int64_t count;
  float epsilon;
  const float* scale;
  const float* shift;
  int64_t group_step;
  int64_t period;
  int64_t lanes_of_number;
  int64_t lane_step;
  Activation activation;
  float alpha;
};

// exp(x) / sum(exp(x)) over elements group * group_step + 0 .. count - 1.
struct Softmax {
  int64_t count;
  int64_t group_step;
};

// [batch, m, k] @ [batch, k, n]; capacity 0 is GK_PLAIN.
struct Product {
  int64_t batch;
  int64_t m;
  int64_t k;
  int64_t n;
  int images;
  int capacity;
  int part;
  int parts;
};

// Rows of GK_PLAIN with as many channels are summed channel by channel, others side by side.
constexpr int64_t kLongRow = 16;

struct ReductionKernels {
  void (*fold)(const Fold& fold, const Lanes& lanes, const LaneShare& share, const float* from,
               float* to);
  void (*norm)(const Norm& norm, const Lanes& lanes, const LaneShare& share, const float* from,
               float* to);
  void (*softmax)(const Softmax& softmax, const Lanes& lanes, const LaneShare& share,
                  const float* from, float* to);
  // Over the `count` channels of rows begin .. end - 1 that follow each other.
  void (*norm_rows)(const Norm& norm, int64_t count, int64_t begin, int64_t end, const float* from,
                    float* to);
  void (*softmax_rows)(int64_t count, int64_t begin, int64_t end, const float* from, float* to);
  void (*multiply)(const Product& product, const float* a, const float* b, float* to);
};

GK_DECLARE(ReductionKernels, reductions);

}  // namespace gk
