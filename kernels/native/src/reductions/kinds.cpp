#include "registry.h"

namespace gk {

Kinds reductions_kinds() { return {nullptr, 0}; }

}  // namespace gk
