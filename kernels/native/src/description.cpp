#include "description.h"

#include <initializer_list>
#include <limits>
#include <stdexcept>

#include "limits.h"

namespace gk {
namespace {

constexpr int64_t kMostFloats = kMostBytes / sizeof(float);

}  // namespace

Description::Description(const gk_operation& operation) : operation_(operation) {
  if (!operation.kind) throw std::invalid_argument("an operation has no kind");
  const auto check_list = [&](const void* list, int32_t count, const char* what) {
    if (count < 0) refuse("has " + std::to_string(count) + " " + what);
    if (count > 0 && !list) refuse(std::string("its ") + what + " are a null pointer");
  };
  check_list(operation.inputs, operation.input_count, "inputs");
  check_list(operation.outputs, operation.output_count, "outputs");
  check_list(operation.integers, operation.integer_count, "integers");
  check_list(operation.numbers, operation.number_count, "numbers");
  check_list(operation.arrays, operation.array_count, "arrays");
  check_list(operation.array_sizes, operation.array_count, "sizes of arrays");
  for (int i = 0; i < operation.array_count; ++i) {
    const int64_t size = operation.array_sizes[i];
    if (operation.arrays[i] && (size < 0 || size > kMostFloats)) {
      refuse("array " + std::to_string(i) + " has " + std::to_string(size) + " floats");
    }
  }
}

void Description::refuse(const std::string& why) const {
  const std::string name = operation_.name ? operation_.name : "an operation";
  throw std::invalid_argument(name + " (" + operation_.kind + "): " + why);
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
    const int64_t pairs = int64_t{(*axes)[0]} * (*axes)[1];
    if (multiplied(pairs, (*axes)[2]) > kMost || pairs > kMost) {
      refuse("has too many positions or taps");
    }
  }
  check_planned(geometry.positions_out());
  // Positions of taps are reckoned in int.
  for (int axis = 0; axis < 3; ++axis) {
    const Axes& strided = geometry.transposed ? geometry.input : geometry.output;
    const int64_t stride = geometry.stride[axis];
    const int64_t steps = stride * (strided[axis] > 0 ? strided[axis] - 1 : 0);
    const int64_t span = int64_t{geometry.dilation[axis]} * (geometry.kernel[axis] - 1);
    const int64_t end = int64_t{geometry.output[axis]} + geometry.padding[axis];
    if (steps > kMost / 4 || span > kMost / 4 || end > kMost / 4 || stride > kMost / 4 ||
        multiplied(geometry.kernel[axis], geometry.output[axis]) > kMostPairs) {
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
  const auto said = [](int64_t size) { return size == kAny ? "any" : std::to_string(size); };
  if ((positions != kAny && value.positions != positions) ||
      (channels != kAny && value.channels != channels)) {
    refuse("a value has " + std::to_string(value.positions) + " positions and " +
           std::to_string(value.channels) + " channels, not " + said(positions) + " and " +
           said(channels));
  }
}

void Description::expect_values(int inputs, int outputs) const {
  if (input_count() == inputs && output_count() == outputs) return;
  refuse("has " + std::to_string(input_count()) + " inputs and " + std::to_string(output_count()) +
         " outputs, not " + std::to_string(inputs) + " and " + std::to_string(outputs));
}

void Description::check_packed(int64_t packed, int64_t floats) const {
  // What one float in a block of 32 x 32 takes; where there are few it does not matter.
  constexpr int64_t kMostTimes = 1024;
  constexpr int64_t kFew = int64_t{1} << 24;
  if (packed <= kFew || packed / kMostTimes <= floats) return;
  refuse("would pack " + std::to_string(floats) + " weights into " + std::to_string(packed));
}

void Description::check_planned(int64_t places) const {
  if (places <= kMostPlanned) return;
  refuse("would list " + std::to_string(places) + " places, more than " +
         std::to_string(kMostPlanned));
}

}  // namespace gk
