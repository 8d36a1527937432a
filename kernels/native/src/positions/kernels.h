// Convolutions and linear layers for few images: rows are (image, position) pairs.

#pragma once

#include "isa/sets.h"

namespace gk {

struct PositionKernels {};

GK_DECLARE(PositionKernels, positions);

}  // namespace gk
