// Columns of a panel of weights, in blocks of nearly equal width. Internal linkage, for the reason
// that isa/kernels.h gives.

#pragma once

namespace gk {
namespace {

inline int block_count(int columns, int widest) { return (columns + widest - 1) / widest; }

// The first column of a block; the end of the last one where block is `count`.
inline int block_start(int block, int count, int columns) {
  return static_cast<int>(static_cast<long long>(block) * columns / count);
}

}  // namespace
}  // namespace gk
