#include "rows/layer.h"

#include "limits.h"

namespace gk {

int blocks_of(int channels) { return (channels + kRowChannels - 1) / kRowChannels; }

RowLayer::RowLayer(Description& description, const Target& target)
    : geometry(description.geometry()), kernels(target.kernels.rows) {
  description.expect_values(1, 1);
  in_channels = description.integer(1, kMostChannels);
  out_channels = description.integer(1, kMostChannels);
  groups = description.integer(1, kMostChannels);
  activation = description.activation();
  alpha = static_cast<float>(description.number());
  if (!kernels) {
    description.refuse(std::string("instruction set ") + target.kernels.name +
                       " does not multiply bfloat16");
  }
  if (target.capacity % kRowImages != 0) {
    description.refuse("capacity " + std::to_string(target.capacity) + " is no multiple of " +
                       std::to_string(kRowImages));
  }
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    description.refuse(std::to_string(groups) + " groups do not divide the channels");
  }
  if (geometry.rank == 0) {
    description.check_planned(description.input(0).positions);
    geometry.input[2] = geometry.output[2] = static_cast<int>(description.input(0).positions);
  }
  description.expect(description.input(0), GK_ROWS, geometry.positions_in(), in_channels);
  const gk_value& output = description.output(0);
  description.expect(output, static_cast<gk_form>(output.form), geometry.positions_out(),
                     out_channels);
}

RowWeights RowLayer::weights(Description& description) const {
  RowWeights weights{geometry.kernel, in_channels, out_channels, groups, nullptr, nullptr};
  weights.weight =
      description.array(geometry.weights(in_channels / groups, out_channels));
  weights.shift = description.optional_array(out_channels);
  return weights;
}

RowTask RowLayer::task(const Work& work) const {
  RowTask task{};
  task.input = static_cast<const uint16_t*>(work.inputs[0]);
  for (int axis = 0; axis < 3; ++axis) task.input_axes[axis] = geometry.input[axis];
  task.input_blocks = blocks_of(in_channels);
  task.capacity = work.capacity;
  task.images = work.images;
  task.activation = activation;
  task.alpha = alpha;
  task.scratch = static_cast<float*>(work.scratch);
  return task;
}

}  // namespace gk
