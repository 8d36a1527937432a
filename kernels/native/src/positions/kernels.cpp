#include "positions/kernels.h"

namespace gk {

extern const PositionKernels GK_TABLE(positions) = {};

}  // namespace gk
