#include "recurrent/kernels.h"

namespace gk {

extern const RecurrentKernels GK_TABLE(recurrent) = {};

}  // namespace gk
