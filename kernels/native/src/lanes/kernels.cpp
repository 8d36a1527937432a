#include "lanes/kernels.h"

#include "lanes/depthwise.h"
#include "lanes/product.h"
#include "lanes/transform.h"

namespace gk {

extern const LaneKernels GK_TABLE(lanes) = {
    kVector, kMostVectors, kWidest, multiply, multiply_depthwise, transform_input, transform_output,
};

}  // namespace gk
