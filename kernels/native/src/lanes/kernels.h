// Convolutions and linear layers on GK_LANES: images in the vector lanes, float32.

#pragma once

#include "isa/sets.h"

namespace gk {

struct LaneKernels {};

GK_DECLARE(LaneKernels, lanes);

}  // namespace gk
