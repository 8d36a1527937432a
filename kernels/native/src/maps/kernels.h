// Element by element: activations, sums, products, affine maps.

#pragma once

#include "isa/sets.h"

namespace gk {

struct MapKernels {};

GK_DECLARE(MapKernels, maps);

}  // namespace gk
