// kinds "elementwise", "add", "affine", "prelu" and "binary"; the README has what they take.

#include "maps/map.h"

namespace gk {
namespace {

float number_of(Description& description) { return static_cast<float>(description.number()); }

// Values of one shape: as many rows of whatever is in them, channels apart.
Sizes rows_and_channels(const gk_value& value, int rows) {
  return {rows, value.positions / rows, value.channels};
}

void check_same(const Description& description) {
  const gk_value& output = description.output(0);
  for (int i = 0; i < description.input_count(); ++i) {
    description.expect(description.input(i), static_cast<gk_form>(output.form), output.positions,
                       output.channels);
  }
}

class Elementwise final : public Map {
 public:
  Elementwise(Description& description, const Target& target)
      : Map(description, target, 1, Forms::kAll) {
    check_same(description);
    set_shape(description, rows_and_channels(output_, rows_));
    const auto op = static_cast<Operator>(description.integer(0, kFunctionCount - 1));
    const float alpha = number_of(description), beta = number_of(description);
    std::vector<Operand> operands;
    operands.push_back(whole(0));
    add_pass({op, Activation::kNone, alpha, beta}, std::move(operands));
  }
};

class Add final : public Map {
 public:
  Add(Description& description, const Target& target)
      : Map(description, target, description.input_count(), Forms::kAll) {
    check_same(description);
    set_shape(description, rows_and_channels(output_, rows_));
    const Activation activation = description.activation();
    const float alpha = number_of(description);
    const int last = description.input_count() - 1;
    if (last < 0) description.refuse("adds nothing");
    if (last == 0) {
      std::vector<Operand> operands;
      operands.push_back(whole(0));
      add_pass({static_cast<Operator>(activation), Activation::kNone, alpha, 0.0f},
               std::move(operands));
    }
    for (int i = 1; i <= last; ++i) {
      std::vector<Operand> operands;
      operands.push_back(whole(i == 1 ? 0 : Operand::kOutput));
      operands.push_back(whole(i));
      add_pass({kAdd, i == last ? activation : Activation::kNone, alpha, 0.0f},
               std::move(operands));
    }
  }
};

class Affine final : public Map {
 public:
  Affine(Description& description, const Target& target)
      : Map(description, target, 1, Forms::kAll) {
    check_same(description);
    const Activation activation = description.activation();
    set_shape(description, read_shape(description));
    const Sizes scale_sizes = read_sizes(description, shape_.size(), 0);
    const Sizes shift_sizes = read_sizes(description, shape_.size(), 0);
    const float alpha = number_of(description);
    const float* scale = description.optional_array(product(scale_sizes));
    const float* shift = description.optional_array(product(shift_sizes));
    const Operator op = scale && shift ? kAffine
                        : scale        ? kMul
                        : shift        ? kAdd
                                       : static_cast<Operator>(activation);
    std::vector<Operand> operands;
    operands.push_back(whole(0));
    if (scale) operands.push_back(numbers(description, scale, scale_sizes));
    if (shift) operands.push_back(numbers(description, shift, shift_sizes));
    add_pass({op, activation, alpha, 0.0f}, std::move(operands));
  }
};

class PRelu final : public Map {
 public:
  PRelu(Description& description, const Target& target)
      : Map(description, target, 1, Forms::kAll) {
    check_same(description);
    set_shape(description, read_shape(description));
    const Sizes sizes = read_sizes(description, shape_.size(), 0);
    const float* slope = description.array(product(sizes));
    std::vector<Operand> operands;
    operands.push_back(whole(0));
    operands.push_back(numbers(description, slope, sizes));
    add_pass({kPRelu, Activation::kNone, 0.0f, 0.0f}, std::move(operands));
  }
};

class Binary final : public Map {
 public:
  Binary(Description& description, const Target& target)
      : Map(description, target, 2, Forms::kFloat32) {
    const int function = description.integer(0, kMin - kAdd);
    const Activation activation = description.activation();
    const Sizes a = read_shape(description);
    const Sizes b = read_sizes(description, a.size(), 0);
    Sizes shape = a;
    for (size_t axis = 0; axis < a.size(); ++axis) {
      if (a[axis] == 1) shape[axis] = b[axis];
    }
    set_shape(description, shape);
    check_shape(description, description.input(0), a);
    check_shape(description, description.input(1), b);
    std::vector<Operand> operands;
    operands.push_back({0, broadcast_strides(description, a, shape), {}});
    operands.push_back({1, broadcast_strides(description, b, shape), {}});
    add_pass({static_cast<Operator>(kAdd + function), activation, number_of(description), 0.0f},
             std::move(operands));
  }
};

constexpr Kind kKinds[] = {{"elementwise", make<Elementwise>},
                           {"add", make<Add>},
                           {"affine", make<Affine>},
                           {"prelu", make<PRelu>},
                           {"binary", make<Binary>}};

}  // namespace

Kinds maps_kinds() { return {kKinds, static_cast<int>(sizeof(kKinds) / sizeof(kKinds[0]))}; }

}  // namespace gk
