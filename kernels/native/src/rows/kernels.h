// Convolutions and linear layers on GK_ROWS: images are the rows of bfloat16 products.

#pragma once

namespace gk {

struct RowKernels {};

// Only these sets multiply bfloat16.
#if defined(__x86_64__)
extern const RowKernels rows_avx512_bf16, rows_amx;
#endif

}  // namespace gk
