// kinds "softmax" and "matmul", and those of the other files here.

#include "reductions/folding.h"
#include "reductions/normalise.h"

namespace gk {
namespace {

class OverChannels final : public Operation {
 public:
  OverChannels(Description& description, const Target& target)
      : kernels_(target.kernels.reductions), value_(description.output(0)) {
    description.expect_values(1, 1);
    check_forms(description, target, Forms::kFloat32);
    description.expect(description.input(0), static_cast<gk_form>(value_.form), value_.positions,
                       value_.channels);
  }

  void run(const Work& work) const override {
    const bool lanes = value_.form == GK_LANES;
    const auto* from = static_cast<const float*>(work.inputs[0]);
    auto* to = static_cast<float*>(work.outputs[0]);
    if (!lanes && value_.channels >= kLongRow) {
      const Share share = share_of(0, work.images * value_.positions, work);
      return kernels_.softmax_rows(value_.channels, share.begin, share.end, from, to);
    }
    kernels_.softmax({value_.channels, value_.channels},
                     lanes_of(value_, value_, work, lanes ? 1 : value_.positions, value_.channels),
                     {0, lanes ? value_.positions : 1, work.part, work.parts}, from, to);
  }

  bool divisible() const override { return true; }

 private:
  const ReductionKernels& kernels_;
  const gk_value value_;
};

class Multiply final : public Operation {
 public:
  Multiply(Description& description, const Target& target)
      : kernels_(target.kernels.reductions), lanes_(description.output(0).form == GK_LANES) {
    description.expect_values(2, 1);
    check_forms(description, target, Forms::kFloat32);
    const Sizes sizes = read_sizes(description, 4, 0);
    product_ = {sizes[0], sizes[1], sizes[2], sizes[3], 0, 0, 0, 1};
    check_shape(description, description.input(0), {sizes[0], sizes[1], sizes[2]});
    check_shape(description, description.input(1), {sizes[0], sizes[2], sizes[3]});
    check_shape(description, description.output(0), {sizes[0], sizes[1], sizes[3]});
  }

  void run(const Work& work) const override {
    Product plan = product_;
    plan.images = work.images;
    plan.capacity = lanes_ ? work.capacity : 0;
    plan.part = work.part;
    plan.parts = work.parts;
    kernels_.multiply(plan, static_cast<const float*>(work.inputs[0]),
                      static_cast<const float*>(work.inputs[1]),
                      static_cast<float*>(work.outputs[0]));
  }

  bool divisible() const override { return true; }

 private:
  const ReductionKernels& kernels_;
  const bool lanes_;
  Product product_;
};

constexpr Kind kKinds[] = {
    {"reduce", make<Reduce>},
    {"pool", make<Pool>},
    {"resample", make<Resample>},
    {"instance_norm", make<InstanceNorm>},
    {"layer_norm", make<LayerNorm>},
    {"softmax", make<OverChannels>},
    {"matmul", make<Multiply>},
};

}  // namespace

Kinds reductions_kinds() {
  return {kKinds, static_cast<int>(sizeof(kKinds) / sizeof(kKinds[0]))};
}

}  // namespace gk
