// The kernels of one instruction set: a table of functions for each family.
//
// A family declares its table and the plain structs its functions take in FAMILY/kernels.h, and fills
// it in FAMILY/kernels.cpp, which is compiled once for every instruction set (GK_SET). Everything else
// there stands in an unnamed namespace, and uses no templates or inline functions of the standard
// library: the linker would be free to keep the copy made for the widest set, and run it everywhere.

#pragma once

#include "isa/sets.h"
#include "lanes/kernels.h"
#include "maps/kernels.h"
#include "moves/kernels.h"
#include "positions/kernels.h"
#include "random/kernels.h"
#include "recurrent/kernels.h"
#include "reductions/kernels.h"
#include "rows/kernels.h"

namespace gk {

struct Kernels {
  const char* name;
  const MoveKernels& moves;            // between forms and places
  const MapKernels& maps;              // element by element
  const ReductionKernels& reductions;  // norms, softmax, pooling, resampling, products of values
  const RecurrentKernels& recurrent;   // LSTM and GRU
  const RandomKernels& random;         // words, uniforms and normals
  const LaneKernels& lanes;            // layers on GK_LANES, float32
  const PositionKernels& positions;    // layers on GK_PLAIN and GK_PLAIN16, few images
  const RowKernels* rows;              // layers on GK_ROWS, bfloat16; null where there is none
};

}  // namespace gk
