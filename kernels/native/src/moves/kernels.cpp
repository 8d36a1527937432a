#include "moves/kernels.h"

namespace gk {
namespace {

void to_lanes(const float* from, float* to, int64_t elements, int images, int capacity) {
  for (int64_t element = 0; element < elements; ++element) {
    for (int image = 0; image < capacity; ++image) {
      to[element * capacity + image] = image < images ? from[image * elements + element] : 0.0f;
    }
  }
}

void from_lanes(const float* from, float* to, int64_t elements, int images, int capacity,
                uint8_t* finite) {
  for (int64_t element = 0; element < elements; ++element) {
    for (int image = 0; image < images; ++image) {
      const float value = from[element * capacity + image];
      to[image * elements + element] = value;
      if (!(value - value == 0.0f)) finite[image] = 0;
    }
  }
}

}  // namespace

extern const MoveKernels GK_TABLE(moves) = {to_lanes, from_lanes};

}  // namespace gk
