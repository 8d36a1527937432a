// kind "lanes_convolution": integers after the geometry: in_channels, out_channels, groups,
// activation, algorithm (0 best, 1 direct, 2 Winograd); number alpha; arrays weight, shift or none.

#include <algorithm>

#include "lanes/direct.h"
#include "lanes/winograd.h"
#include "limits.h"
#include "registry.h"

namespace gk {
namespace {

class LanesConvolution final : public Operation {
 public:
  LanesConvolution(Description& description, const Target& target) {
    description.expect_values(1, 1);
    const gk_value& input = description.input(0);
    const gk_value& output = description.output(0);
    lanes::Layer layer{};
    layer.geometry = description.geometry();
    layer.in_channels = description.integer(1, kMostChannels);
    layer.out_channels = description.integer(1, kMostChannels);
    layer.groups = description.integer(1, kMostChannels);
    layer.activation = description.activation();
    layer.alpha = static_cast<float>(description.number());
    layer.capacity = target.capacity;
    const auto algorithm = static_cast<Algorithm>(description.integer(0, 2));
    if (layer.in_channels % layer.groups || layer.out_channels % layer.groups) {
      description.refuse("groups do not divide the channels");
    }
    if (target.capacity % kLaneStep) description.refuse("capacity is not a multiple of 16");
    description.check_planned(input.positions);
    if (layer.geometry.rank == 0) treat_positions_as_axis(layer.geometry, input.positions);
    description.expect(input, GK_LANES, Description::kAny, layer.in_channels);
    description.expect(output, GK_LANES, Description::kAny, layer.out_channels);
    if (input.positions != layer.geometry.positions_in() ||
        output.positions != layer.geometry.positions_out()) {
      description.refuse("a value has not as many positions as the geometry");
    }
    layer.weight = description.array(layer.geometry.weights(layer.depth(), layer.out_channels));
    const float* shift = description.optional_array(layer.out_channels);
    rows_ = layer.geometry.output[layer.geometry.outermost()];
    const LaneKernels& kernels = target.kernels.lanes;
    if (algorithm != Algorithm::kDirect) {
      const bool asked = algorithm == Algorithm::kWinograd;
      const auto extent = asked ? lanes::Extent::kPossible : lanes::Extent::kQuicker;
      auto combinations = lanes::find_combinations(layer, kernels, extent);
      if (asked && combinations.empty()) {
        description.refuse(
            "Winograd needs a phase of two neighbouring taps along the last or second last axis");
      }
      if (!combinations.empty()) {
        winograd_ = std::make_unique<lanes::Winograd>(layer, shift, kernels, combinations);
      }
    }
    lanes::Direct::Phases taken;
    if (winograd_) taken = [&](int z, int y, int x) { return winograd_->takes(z, y, x); };
    direct_ = std::make_unique<lanes::Direct>(description, layer, shift, kernels, taken);
  }

  void run(const Work& work) const override {
    if (winograd_) winograd_->run(work);
    direct_->run(work);
  }
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  int granularity() const override { return winograd_ ? winograd_->granularity() : 1; }
  size_t scratch_bytes() const override {
    return std::max(direct_->scratch_bytes(), winograd_ ? winograd_->scratch_bytes() : 0);
  }
  size_t weight_bytes() const override {
    return direct_->weight_bytes() + (winograd_ ? winograd_->weight_bytes() : 0);
  }

 private:
  enum class Algorithm { kBest, kDirect, kWinograd };
  static constexpr int kLaneStep = 16;

  // A linear layer of many positions is a convolution of one tap along them.
  static void treat_positions_as_axis(Geometry& geometry, int64_t positions) {
    geometry.rank = 1;
    geometry.input[2] = geometry.output[2] = static_cast<int>(positions);
  }

  int rows_;
  std::unique_ptr<lanes::Winograd> winograd_;  // none where no phase is taken
  std::unique_ptr<lanes::Direct> direct_;      // the phases that are left
};

constexpr Kind kKinds[] = {{"lanes_convolution", make<LanesConvolution>}};

}  // namespace

Kinds lanes_kinds() { return {kKinds, 1}; }

}  // namespace gk
