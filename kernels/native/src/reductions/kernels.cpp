#include "reductions/kernels.h"

namespace gk {

extern const ReductionKernels GK_TABLE(reductions) = {};

}  // namespace gk
