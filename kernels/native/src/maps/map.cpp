#include "maps/map.h"

#include <algorithm>

#include "maps/loop.h"

namespace gk {

Buffer<float> keep(const float* numbers, int64_t count) {
  Buffer<float> kept(static_cast<size_t>(count));
  std::copy(numbers, numbers + count, kept.data());
  return kept;
}

Map::Map(Description& description, const Target& target, int inputs, Forms forms)
    : kernels_(target.kernels.maps),
      output_(description.output(0)),
      // Blocks of channels are not cut.
      rows_(read_rows(description,
                      is_bfloat16(output_) ? output_.positions : elements(output_))) {
  description.expect_values(inputs, 1);
  check_forms(description, target, forms);
}

void Map::set_shape(const Description& description, Sizes shape) {
  check_shape(description, output_, shape);
  if (rows_ > 1 && (shape.empty() || shape[0] != rows_)) {
    description.refuse("the outermost axis does not have " + std::to_string(rows_) + " rows");
  }
  shape_ = std::move(shape);
}

Operand Map::whole(int input) const { return {input, strides_of(shape_), {}}; }

Operand Map::numbers(const Description& description, const float* data, const Sizes& sizes) const {
  Sizes strides = broadcast_strides(description, sizes, shape_);
  if (!is_bfloat16(output_)) return {Operand::kNumbers, strides, keep(data, product(sizes))};
  // One number a channel, and none for absent channels.
  if (product(sizes) != (sizes.empty() ? 1 : sizes.back())) {
    description.refuse("bfloat16 takes one number a channel");
  }
  Buffer<float> padded(static_cast<size_t>(channel_blocks(output_) * 32));
  for (size_t i = 0; i < padded.size(); ++i) {
    const bool present = static_cast<int64_t>(i) < output_.channels;
    padded[i] = present ? data[product(sizes) == 1 ? 0 : i] : 0.0f;
  }
  return {Operand::kNumbers, strides, std::move(padded)};
}

void Map::add_pass(Step step, std::vector<Operand> operands) {
  passes_.push_back({step, std::move(operands)});
}

size_t Map::weight_bytes() const {
  size_t bytes = 0;
  for (const Pass& pass : passes_) {
    for (const Operand& operand : pass.operands) bytes += operand.numbers.bytes();
  }
  return bytes;
}

void Map::run(const Work& work) const {
  for (const Pass& pass : passes_) {
    if (is_bfloat16(output_)) {
      run_blocks(pass, work);
    } else {
      run_floats(pass, work);
    }
  }
}

void Map::run_floats(const Pass& pass, const Work& work) const {
  const bool lanes = output_.form == GK_LANES;
  const int64_t scale = lanes ? work.capacity : 1;
  const Sizes out_strides = strides_of(shape_);
  const float* operands[kMostOperands] = {};
  auto* out = static_cast<float*>(work.outputs[0]);
  const auto strides_at = [&](const auto& of_value, const auto& of_numbers, int64_t of_output) {
    struct Strides {
      int64_t each[1 + kMostOperands];
    } strides{{of_output}};
    for (size_t k = 0; k < pass.operands.size(); ++k) {
      const Operand& operand = pass.operands[k];
      strides.each[1 + k] =
          operand.input == Operand::kNumbers ? of_numbers(operand) : of_value(operand);
    }
    return strides;
  };
  const auto none = [](const Operand&) -> int64_t { return 0; };
  Loop loop{};
  if (!lanes) {
    // An image of an operand is as long as its axes.
    const auto image = [&](const Operand& operand) -> int64_t {
      int64_t count = 1;
      for (size_t axis = 0; axis < shape_.size(); ++axis) {
        if (operand.strides[axis] != 0) count *= shape_[axis];
      }
      return count;
    };
    append_axis(loop, work.images, strides_at(image, none, product(shape_)).each);
  }
  int64_t first[1 + kMostOperands] = {};
  for (size_t axis = 0; axis < shape_.size(); ++axis) {
    const auto of_value = [&](const Operand& operand) { return operand.strides[axis] * scale; };
    const auto of_numbers = [&](const Operand& operand) { return operand.strides[axis]; };
    const auto strides = strides_at(of_value, of_numbers, out_strides[axis] * scale);
    const bool cut = axis == 0 && rows_ > 1;
    append_axis(loop, cut ? work.end - work.begin : shape_[axis], strides.each);
    for (int k = 0; cut && k <= kMostOperands; ++k) first[k] = work.begin * strides.each[k];
  }
  if (lanes) {
    const auto one = [](const Operand&) -> int64_t { return 1; };
    append_axis(loop, std::min(in_vectors(work.images), work.capacity),
                strides_at(one, none, 1).each);
  }
  int64_t offsets[1 + kMostOperands];
  const Loop part = part_of(collapsed(loop), work, offsets);
  for (size_t k = 0; k < pass.operands.size(); ++k) {
    const Operand& operand = pass.operands[k];
    const float* data = operand.input == Operand::kNumbers  ? operand.numbers.data()
                        : operand.input == Operand::kOutput ? out
                              : static_cast<const float*>(work.inputs[operand.input]);
    operands[k] = data + first[1 + k] + offsets[1 + k];
  }
  kernels_.map(pass.step, part, out + first[0] + offsets[0], operands);
}

void Map::run_blocks(const Pass& pass, const Work& work) const {
  const bool rows = output_.form == GK_ROWS;
  const int64_t row = output_.positions / rows_;
  const Share share = share_of(row * work.begin, row * work.end, work);
  const int64_t blocks = channel_blocks(output_);
  // Plain images are one after the other, as if each were a micro-batch of one.
  for (int image = 0; image < (rows ? 1 : work.images); ++image) {
    const int64_t offset = image * output_.positions * blocks * 32;
    auto* out = static_cast<uint16_t*>(work.outputs[0]) + offset;
    BlockOperand operands[kMostOperands] = {};
    for (size_t k = 0; k < pass.operands.size(); ++k) {
      const Operand& operand = pass.operands[k];
      if (operand.input == Operand::kNumbers) {
        operands[k].numbers = operand.numbers.data();
      } else if (operand.input == Operand::kOutput) {
        operands[k].value = out;
      } else {
        operands[k].value = static_cast<const uint16_t*>(work.inputs[operand.input]) + offset;
      }
    }
    kernels_.map_blocks(pass.step,
                        {share.begin, share.end, blocks, output_.channels,
                         rows ? work.images : 1, rows ? work.capacity : 1},
                        out, operands);
  }
}

}  // namespace gk
