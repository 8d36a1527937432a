#include "description.h"

#include <limits>
#include <stdexcept>

namespace gk {

void Description::refuse(const std::string& why) const {
  throw std::invalid_argument(std::string(operation_.name) + " (" + operation_.kind + "): " + why);
}

const gk_value& Description::input(int i) const {
  if (i >= operation_.input_count) refuse("input " + std::to_string(i) + " is missing");
  return operation_.inputs[i];
}

const gk_value& Description::output(int i) const {
  if (i >= operation_.output_count) refuse("output " + std::to_string(i) + " is missing");
  return operation_.outputs[i];
}

int64_t Description::integer() {
  if (next_integer_ >= operation_.integer_count) refuse("has too few integers");
  return operation_.integers[next_integer_++];
}

int Description::integer(int64_t least, int64_t most) {
  const int64_t value = integer();
  if (value < least || value > most) {
    refuse("integer " + std::to_string(next_integer_ - 1) + " is " + std::to_string(value) +
           ", not in " + std::to_string(least) + " .. " + std::to_string(most));
  }
  return static_cast<int>(value);
}

double Description::number() {
  if (next_number_ >= operation_.number_count) refuse("has too few numbers");
  return operation_.numbers[next_number_++];
}

Floats Description::any_array() {
  if (next_array_ >= operation_.array_count) refuse("has too few arrays");
  const int i = next_array_++;
  return {operation_.arrays[i], operation_.arrays[i] ? operation_.array_sizes[i] : 0};
}

const float* Description::optional_array(int64_t size) {
  const Floats floats = any_array();
  if (floats.data && floats.size != size) {
    refuse("array " + std::to_string(next_array_ - 1) + " has " + std::to_string(floats.size) +
           " floats, not " + std::to_string(size));
  }
  return floats.data;
}

const float* Description::array(int64_t size) {
  const float* data = optional_array(size);
  if (!data) refuse("array " + std::to_string(next_array_ - 1) + " is missing");
  return data;
}

Geometry Description::geometry() {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  Geometry geometry;
  geometry.transposed = integer(0, 1) == 1;
  geometry.rank = integer(0, 3);
  const auto read = [&](Axes& axes, int64_t least) {
    for (int axis = 3 - geometry.rank; axis < 3; ++axis) axes[axis] = integer(least, kMost);
  };
  read(geometry.input, 0);
  read(geometry.output, 0);
  read(geometry.kernel, 1);
  read(geometry.stride, 1);
  read(geometry.padding, 0);
  read(geometry.dilation, 1);
  check(geometry);
  return geometry;
}

void Description::check(const Geometry& geometry) const {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  for (const Axes* axes : {&geometry.input, &geometry.output, &geometry.kernel}) {
    int64_t product = 1;
    for (const int size : *axes) {
      if (size != 0 && product > kMost / size) refuse("has too many positions or taps");
      product *= size;
    }
  }
  // Positions of taps are reckoned in int.
  for (int axis = 0; axis < 3; ++axis) {
    const Axes& strided = geometry.transposed ? geometry.input : geometry.output;
    const int64_t stride = geometry.stride[axis];
    const int64_t steps = stride * (strided[axis] > 0 ? strided[axis] - 1 : 0);
    const int64_t span = int64_t{geometry.dilation[axis]} * (geometry.kernel[axis] - 1);
    const int64_t end = int64_t{geometry.output[axis]} + geometry.padding[axis];
    if (steps > kMost / 4 || span > kMost / 4 || end > kMost / 4 || stride > kMost / 4) {
      refuse("reaches too far: stride " + std::to_string(stride) + ", dilation " +
             std::to_string(geometry.dilation[axis]) + ", padding " +
             std::to_string(geometry.padding[axis]) + " on axis " + std::to_string(axis));
    }
  }
}

Activation Description::activation() { return static_cast<Activation>(integer(0, 4)); }

void Description::finish() const {
  if (next_integer_ != operation_.integer_count || next_number_ != operation_.number_count ||
      next_array_ != operation_.array_count) {
    refuse("has more integers, numbers or arrays than it takes");
  }
}

void Description::expect(const gk_value& value, gk_form form, int64_t positions,
                         int64_t channels) const {
  if (value.form != form) refuse("a value has form " + std::to_string(value.form));
  if ((positions > 0 && value.positions != positions) ||
      (channels > 0 && value.channels != channels)) {
    refuse("a value has " + std::to_string(value.positions) + " positions and " +
           std::to_string(value.channels) + " channels, not " + std::to_string(positions) +
           " and " + std::to_string(channels));
  }
}

}  // namespace gk
