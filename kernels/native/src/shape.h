// Shapes of values without their batch, as kinds take them among their integers.

#pragma once

#include <cstdint>
#include <vector>

#include "description.h"

namespace gk {

using Sizes = std::vector<int64_t>;

// A rank, 0 to 8, and as many sizes.
Sizes read_shape(Description& description);
// As many numbers, each at least `least`.
Sizes read_sizes(Description& description, size_t count, int64_t least);
// The largest number where it is beyond that.
int64_t product(const Sizes& sizes);
// Elements from one index to the next along each axis.
Sizes strides_of(const Sizes& sizes);
// The same for an array that repeats along axes where it has size 1; refuses other sizes.
Sizes broadcast_strides(const Description& description, const Sizes& array, const Sizes& shape);
// Refuses unless the value has the elements, and the channels, of the shape.
void check_shape(const Description& description, const gk_value& value, const Sizes& shape);

}  // namespace gk
