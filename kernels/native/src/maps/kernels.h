// Element by element: activations, sums, products, affine maps.

#pragma once

#include <stdint.h>

#include "isa/activation.h"
#include "isa/sets.h"
#include "maps/operators.h"

namespace gk {

// An operator and its numbers; the activation ends those of several operands.
struct Step {
  Operator op;
  Activation activation;
  float alpha;  // of the function, or of the activation
  float beta;
};

constexpr int kMostOperands = 3;
constexpr int kMostAxes = 10;

// Nested loops over float32 elements, outermost first. stride[0] is the output's, the others those
// of the operands, in floats; 0 repeats. The output's innermost stride is 1.
struct Loop {
  int rank;
  int64_t size[kMostAxes];
  int64_t stride[1 + kMostOperands][kMostAxes];
};

// Blocks of 32 bfloat16 channels [outer][block][image], `capacity` images apart.
struct Blocks {
  int64_t begin;  // of outer
  int64_t end;
  int64_t blocks;
  int64_t channels;
  int images;
  int capacity;
};

// An operand of a map over blocks: a value like the output, or numbers [blocks * 32].
struct BlockOperand {
  const uint16_t* value;
  const float* numbers;
};

struct MapKernels {
  void (*map)(const Step& step, const Loop& loop, float* out, const float* const* operands);
  void (*map_blocks)(const Step& step, const Blocks& blocks, uint16_t* out,
                     const BlockOperand* operands);
};

GK_DECLARE(MapKernels, maps);

}  // namespace gk
