#include "lanes/kernels.h"

namespace gk {

extern const LaneKernels GK_TABLE(lanes) = {};

}  // namespace gk
