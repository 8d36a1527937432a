// Instructions on AMX tiles. The calling thread has configured 8 tiles of 16 rows of 64 bytes. For
// FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

constexpr int64_t kTileRowBytes = 64;

// The compiler's own intrinsics want tile numbers as digits in the source, not template arguments.
template <int kTile>
GK_INLINE void load_tile(const void* from, int64_t stride) {
  asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(from), "r"(stride) : "memory");
}

template <int kTile>
GK_INLINE void store_tile(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(to), "r"(stride) : "memory");
}

template <int kSum, int kLeft, int kRight>
GK_INLINE void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kSum), "i"(kLeft), "i"(kRight));
}

}  // namespace
}  // namespace gk
