#include "rows/kernels.h"

#include "isa/sets.h"
#include "rows/to_rows.h"
#include "rows/to_stage.h"

namespace gk {
namespace {

typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint32_t Words __attribute__((vector_size(64)));

// bfloat16 in the low halves of 32 bits.
GK_INLINE Words converted(const float* from) {
  const auto halves = (Halves)_mm512_cvtneps_pbh(load_unaligned(from));
  return __builtin_convertvector(halves, Words);
}

void pack(const float* from, int stride, uint16_t* to) {
  for (int pair = 0; pair < kRowChannels / 2; ++pair) {
    const Words even = converted(from + 2 * pair * stride);
    const Words odd = converted(from + (2 * pair + 1) * stride);
    _mm512_store_si512(to + pair * 32, (__m512i)(even | odd << 16));
  }
}

}  // namespace

extern const RowKernels GK_TABLE(rows) = {pack, to_rows, to_stage};

}  // namespace gk
