#include "geometry.h"

namespace gk {

std::vector<Meeting> Geometry::meetings(int axis, int position) const {
  std::vector<Meeting> found;
  for (int tap = 0; tap < kernel[axis]; ++tap) {
    int source = stride[axis] * position + dilation[axis] * tap - padding[axis];
    if (transposed) {
      const int distance = position + padding[axis] - dilation[axis] * tap;
      if (distance < 0 || distance % stride[axis] != 0) continue;
      source = distance / stride[axis];
    }
    if (source >= 0 && source < input[axis]) found.push_back({tap, source});
  }
  return found;
}

}  // namespace gk
