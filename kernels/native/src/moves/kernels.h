// Between forms and places: the caller's memory, lanes, rows and plain images.

#pragma once

#include <stdint.h>

#include "isa/sets.h"

namespace gk {

struct MoveKernels {
  // [images][elements] -> [elements][capacity]; absent images are zero.
  void (*to_lanes)(const float* from, float* to, int64_t elements, int images, int capacity);
  // [elements][capacity] -> [images][elements]; clears finite[image] where a value is not finite.
  void (*from_lanes)(const float* from, float* to, int64_t elements, int images, int capacity,
                     uint8_t* finite);
};

GK_DECLARE(MoveKernels, moves);

}  // namespace gk
