#include "shape.h"

#include <algorithm>
#include <limits>

#include "limits.h"

namespace gk {

Sizes read_shape(Description& description) {
  constexpr int kMostRank = 8;
  return read_sizes(description, static_cast<size_t>(description.integer(0, kMostRank)), 0);
}

Sizes read_sizes(Description& description, size_t count, int64_t least) {
  Sizes sizes(count);
  for (int64_t& size : sizes) size = description.integer(least, std::numeric_limits<int>::max());
  return sizes;
}

int64_t product(const Sizes& sizes) {
  // Nothing is nothing, however large the rest.
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return 0;
  int64_t all = 1;
  for (const int64_t size : sizes) all = multiplied(all, size);
  return all;
}

Sizes strides_of(const Sizes& sizes) {
  Sizes strides(sizes.size());
  int64_t stride = 1;
  for (size_t axis = sizes.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride = multiplied(stride, sizes[axis]);
  }
  return strides;
}

Sizes broadcast_strides(const Description& description, const Sizes& array, const Sizes& shape) {
  Sizes strides = strides_of(array);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (array[axis] == 1) {
      strides[axis] = 0;
    } else if (array[axis] != shape[axis]) {
      description.refuse("size " + std::to_string(array[axis]) + " of axis " +
                         std::to_string(axis) + " does not repeat to " +
                         std::to_string(shape[axis]));
    }
  }
  return strides;
}

void check_shape(const Description& description, const gk_value& value, const Sizes& shape) {
  const int64_t channels = shape.empty() ? 1 : shape.back();
  if (product(shape) != value.positions * value.channels || channels != value.channels) {
    description.refuse("a value of " + std::to_string(value.positions) + " positions and " +
                       std::to_string(value.channels) + " channels does not have the shape");
  }
}

}  // namespace gk
