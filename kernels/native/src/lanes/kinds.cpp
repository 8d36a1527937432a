// kind "lanes_convolution": integers after the geometry: in_channels, out_channels, groups,
// activation, algorithm (0 best, 1 direct, 2 Winograd); number alpha; arrays weight, shift or none.

#include <limits>

#include "lanes/direct.h"
#include "registry.h"

namespace gk {
namespace {

class LanesConvolution final : public Operation {
 public:
  LanesConvolution(Description& description, const Target& target) {
    constexpr int kMost = std::numeric_limits<int>::max();
    const gk_value& input = description.input(0);
    const gk_value& output = description.output(0);
    lanes::Layer layer{};
    layer.geometry = description.geometry();
    layer.in_channels = description.integer(1, kMost);
    layer.out_channels = description.integer(1, kMost);
    layer.groups = description.integer(1, kMost);
    layer.activation = description.activation();
    layer.alpha = static_cast<float>(description.number());
    layer.capacity = target.capacity;
    description.integer(0, 2);
    if (layer.in_channels % layer.groups || layer.out_channels % layer.groups) {
      description.refuse("groups do not divide the channels");
    }
    if (target.capacity % kLaneStep) description.refuse("capacity is not a multiple of 16");
    if (layer.geometry.rank == 0) treat_positions_as_axis(layer.geometry, input.positions);
    description.expect(input, GK_LANES, 0, layer.in_channels);
    description.expect(output, GK_LANES, 0, layer.out_channels);
    if (input.positions != layer.geometry.positions_in() ||
        output.positions != layer.geometry.positions_out()) {
      description.refuse("a value has not as many positions as the geometry");
    }
    layer.weight = description.array(static_cast<int64_t>(layer.geometry.taps()) * layer.depth() *
                                     layer.out_channels);
    const float* shift = description.optional_array(layer.out_channels);
    rows_ = layer.geometry.output[layer.geometry.outermost()];
    direct_ = std::make_unique<lanes::Direct>(layer, shift, target.kernels.lanes);
  }

  void run(const Work& work) const override { direct_->run(work); }
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override { return direct_->scratch_bytes(); }
  size_t weight_bytes() const override { return direct_->weight_bytes(); }

 private:
  static constexpr int kLaneStep = 16;

  // A linear layer of many positions is a convolution of one tap along them.
  static void treat_positions_as_axis(Geometry& geometry, int64_t positions) {
    geometry.rank = 1;
    geometry.input[2] = geometry.output[2] = static_cast<int>(positions);
  }

  int rows_;
  std::unique_ptr<lanes::Direct> direct_;
};

constexpr Kind kKinds[] = {{"lanes_convolution", make<LanesConvolution>}};

}  // namespace

Kinds lanes_kinds() { return {kKinds, 1}; }

}  // namespace gk
