#include "maps/kernels.h"

namespace gk {

extern const MapKernels GK_TABLE(maps) = {};

}  // namespace gk
