#include "reductions/kernels.h"

#include "reductions/fold.h"
#include "reductions/multiply.h"
#include "reductions/norm.h"

namespace gk {

extern const ReductionKernels GK_TABLE(reductions) = {fold, norm, softmax, multiply};

}  // namespace gk
