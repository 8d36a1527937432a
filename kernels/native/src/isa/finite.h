// What is told of an image with a number that is not finite. For FAMILY/kernels.cpp only.

#pragma once

#include <stdint.h>

namespace gk {
namespace {

// Several workers may clear the flag of an image.
inline void mark_not_finite(uint8_t* finite) {
  __atomic_store_n(finite, uint8_t{0}, __ATOMIC_RELAXED);
}

}  // namespace
}  // namespace gk
