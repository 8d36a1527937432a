// Norms, softmax, reductions, pooling, resampling, products of values.

#pragma once

#include "isa/sets.h"

namespace gk {

struct ReductionKernels {};

GK_DECLARE(ReductionKernels, reductions);

}  // namespace gk
