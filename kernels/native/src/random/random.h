// Random numbers by the best kernels of the processor.

#pragma once

#include "random/kernels.h"

namespace gk {

// `kind` is a gk_random_kind; truncation is that of its truncated normals; instruction_set null is
// the best. Throws std::invalid_argument for a kind or set that there is not, or negative sizes.
void fill_random(int kind, RandomCall call, double truncation, const char* instruction_set);

}  // namespace gk
