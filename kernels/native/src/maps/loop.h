// Loops made simpler, and shared among workers.

#pragma once

#include "maps/kernels.h"
#include "operation.h"

namespace gk {

// Adds an axis inside the others.
void append_axis(Loop& loop, int64_t size, const int64_t (&strides)[1 + kMostOperands]);
// Leaves out axes of size 1, and makes one of neighbours that follow each other everywhere.
Loop collapsed(const Loop& loop);
// The part of the loop that is this worker's; `offsets` of its first element in each operand.
Loop part_of(const Loop& loop, const Work& work, int64_t (&offsets)[1 + kMostOperands]);

}  // namespace gk
