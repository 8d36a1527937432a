#include "rows/kernels.h"

#include "isa/sets.h"

namespace gk {

extern const RowKernels GK_TABLE(rows) = {};

}  // namespace gk
