// kind "recurrent": cell, reverse, linear_before_reset, time, features, hidden; weight, recurrent,
// bias, recurrent bias as engine.program.graph.Recurrent has them.

#include "recurrent/kernels.h"

#include <limits>
#include <vector>

#include "memory.h"
#include "registry.h"

namespace gk {
namespace {

constexpr int kMost = std::numeric_limits<int>::max() / 8;

// Packed columns of some gates.
struct Matrix {
  Buffer<float> weights;
  Buffer<float> shift;
  RecurrentMatrix view{};
};

// What the arrays of the description hold.
struct Source {
  const float* weight;     // [features, gates * hidden]
  const float* recurrent;  // [hidden, gates * hidden]
  const float* bias;
  const float* recurrent_bias;
  int gates;
};

class Recurrent final : public Operation {
 public:
  Recurrent(Description& description, const Target& target)
      : kernels_(target.kernels.recurrent) {
    layer_.lstm = description.integer(0, 1) == 0;
    layer_.reverse = description.integer(0, 1) == 1;
    layer_.linear_before_reset = description.integer(0, 1) == 1;
    layer_.time = description.integer(0, kMost);
    layer_.features = description.integer(1, kMost);
    layer_.hidden = description.integer(1, kMost);
    layer_.padded = (layer_.hidden + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
    Source source{};
    source.gates = layer_.lstm ? 4 : 3;
    const int64_t width = static_cast<int64_t>(source.gates) * layer_.hidden;
    source.weight = description.array(layer_.features * width);
    source.recurrent = description.array(layer_.hidden * width);
    source.bias = description.array(width);
    source.recurrent_bias = description.array(width);
    check(description);
    if (layer_.lstm) {
      gates_ = pack(source, {0, 1, 2, 3}, true, true);
    } else {
      gates_ = pack(source, {0, 1}, true, true);
      input_ = pack(source, {2}, true, false);
      state_ = pack(source, {2}, false, true);
    }
    layer_.gates = gates_.view;
    layer_.input = input_.view;
    layer_.state = state_.view;
  }

  void run(const Work& work) const override {
    RecurrentCall call{};
    call.sequence = static_cast<const float*>(work.inputs[0]);
    call.hidden = static_cast<float*>(work.outputs[0]);
    for (int i = 0; i < (layer_.lstm ? 2 : 1); ++i) {
      if (first_states_) call.first[i] = static_cast<const float*>(work.inputs[1 + i]);
      if (layer_.states) call.last[i] = static_cast<float*>(work.outputs[1 + i]);
    }
    call.element = plain_ ? 1 : work.capacity;
    call.plain = plain_;
    call.begin = work.images * work.part / work.parts;
    call.end = work.images * (work.part + 1) / work.parts;
    call.scratch = static_cast<float*>(work.scratch);
    call.finite = work.finite;
    kernels_.run(layer_, call);
  }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override { return kernels_.scratch_floats(layer_) * sizeof(float); }
  size_t weight_bytes() const override {
    size_t bytes = 0;
    for (const Matrix* matrix : {&gates_, &input_, &state_}) {
      bytes += matrix->weights.bytes() + matrix->shift.bytes();
    }
    return bytes;
  }

 private:
  void check(const Description& description) {
    const int states = layer_.lstm ? 2 : 1;
    const auto count = [&](int values, const char* what) {
      if (values != 1 && values != 1 + states) {
        description.refuse(std::string(what) + " are " + std::to_string(values) + ", not 1 or " +
                           std::to_string(1 + states));
      }
      return values != 1;
    };
    first_states_ = count(description.input_count(), "inputs");
    layer_.states = count(description.output_count(), "outputs");
    const auto form = static_cast<gk_form>(description.input(0).form);
    if (form != GK_PLAIN && form != GK_LANES) {
      description.refuse("the sequence is neither plain nor lanes");
    }
    plain_ = form == GK_PLAIN;
    description.expect(description.input(0), form, layer_.time, layer_.features);
    description.expect(description.output(0), form, layer_.time, layer_.hidden);
    for (int i = 1; i <= states; ++i) {
      if (first_states_) description.expect(description.input(i), form, 1, layer_.hidden);
      if (layer_.states) description.expect(description.output(i), form, 1, layer_.hidden);
    }
    for (int i = 0; i < description.output_count(); ++i) {
      layer_.checked |= description.output(i).space == GK_OUTPUT;
    }
  }

  // The columns of these gates, of x, of h, or of both one after the other.
  Matrix pack(const Source& source, const std::vector<int>& gates, bool of_input,
              bool of_state) const {
    const int inputs = of_input ? layer_.features : 0;
    const int words = inputs + (of_state ? layer_.hidden : 0);
    const int columns = static_cast<int>(gates.size()) * layer_.padded;
    const int width = kernels_.width;
    const int panels = (columns + width - 1) / width;
    const int64_t stride = static_cast<int64_t>(source.gates) * layer_.hidden;
    Matrix matrix{Buffer<float>(static_cast<size_t>(panels) * words * width),
                  Buffer<float>(static_cast<size_t>(panels) * width), {}};
    float* to = matrix.weights.data();
    float* shift = matrix.shift.data();
    for (int panel = 0; panel < panels; ++panel) {
      // Where each column stands in the arrays; -1 is zero.
      std::vector<int64_t> places(width, -1);
      for (int lane = 0; lane < width; ++lane) {
        const int column = panel * width + lane;
        const int unit = column % layer_.padded;
        if (column < columns && unit < layer_.hidden) {
          places[lane] = static_cast<int64_t>(gates[column / layer_.padded]) * layer_.hidden + unit;
        }
      }
      for (const int64_t place : places) {
        *shift = 0.0f;
        if (place >= 0 && of_input) *shift += source.bias[place];
        if (place >= 0 && of_state) *shift += source.recurrent_bias[place];
        ++shift;
      }
      for (int word = 0; word < words; ++word) {
        const float* row = word < inputs ? source.weight + word * stride
                                         : source.recurrent + (word - inputs) * stride;
        for (const int64_t place : places) *to++ = place < 0 ? 0.0f : row[place];
      }
    }
    matrix.view = {matrix.weights.data(), matrix.shift.data(), panels, words};
    return matrix;
  }

  const RecurrentKernels& kernels_;
  RecurrentLayer layer_{};
  bool plain_ = false;
  bool first_states_ = false;
  Matrix gates_;
  Matrix input_;
  Matrix state_;
};

constexpr Kind kKinds[] = {{"recurrent", make<Recurrent>}};

}  // namespace

Kinds recurrent_kinds() { return {kKinds, 1}; }

}  // namespace gk
