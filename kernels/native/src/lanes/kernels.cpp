#include "lanes/kernels.h"

#include "lanes/product.h"

namespace gk {

extern const LaneKernels GK_TABLE(lanes) = {kVector, kMostVectors, kWidest, multiply};

}  // namespace gk
