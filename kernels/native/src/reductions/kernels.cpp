#include "reductions/kernels.h"

#include "reductions/fold.h"
#include "reductions/multiply.h"
#include "reductions/norm.h"
#include "reductions/row.h"

namespace gk {

extern const ReductionKernels GK_TABLE(reductions) = {fold,      norm,         softmax,
                                                      norm_rows, softmax_rows, multiply};

}  // namespace gk
