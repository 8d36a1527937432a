// Where a value lies, checked: what a network believes of the memory it is given.

#pragma once

#include <cstdint>

#include "../include/generator_kernels.h"

namespace gk {

// Bytes of one image of a caller's value. Throws std::invalid_argument for forms of the arena.
int64_t image_bytes(const gk_value& value);

// Throws std::invalid_argument unless form, space and sizes are such that there is such a value, and
// it lies within the arena if it lies there.
void check_place(const gk_value& value, int capacity, int64_t arena_bytes);

}  // namespace gk
