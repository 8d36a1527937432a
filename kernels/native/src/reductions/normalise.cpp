#include "reductions/normalise.h"

#include <algorithm>

#include "limits.h"

namespace gk {

Normalise::Normalise(Description& description, const Target& target)
    : kernels_(target.kernels.reductions),
      value_(description.output(0)),
      lanes_(value_.form == GK_LANES) {
  description.expect_values(1, 1);
  check_forms(description, target, Forms::kFloat32);
  description.expect(description.input(0), static_cast<gk_form>(value_.form), value_.positions,
                     value_.channels);
}

void Normalise::read_numbers(Description& description) {
  const float* scale = description.array(value_.channels);
  const float* shift = description.array(value_.channels);
  scale_.assign(scale, scale + value_.channels);
  shift_.assign(shift, shift + value_.channels);
}

size_t Normalise::weight_bytes() const {
  return (scale_.size() + shift_.size()) * sizeof(float) +
         (starts_.size() + places_.size()) * sizeof(int64_t);
}

void Normalise::run(const Work& work) const {
  Norm norm = norm_;
  norm.starts = starts_.data();
  norm.places = places_.data();
  norm.count = static_cast<int64_t>(places_.size());
  norm.scale = scale_.data();
  norm.shift = shift_.data();
  norm.lanes_of_number = lanes_ ? work.capacity : 1;
  const auto* from = static_cast<const float*>(work.inputs[0]);
  auto* to = static_cast<float*>(work.outputs[0]);
  if (rows_) {
    const Share share = share_of(0, work.images * value_.positions, work);
    return kernels_.norm_rows(norm, value_.channels, share.begin, share.end, from, to);
  }
  kernels_.norm(norm, lanes_of(value_, value_, work, inner_, stride_),
                {0, static_cast<int64_t>(starts_.size()), work.part, work.parts}, from, to);
}

InstanceNorm::InstanceNorm(Description& description, const Target& target)
    : Normalise(description, target) {
  const int64_t channels = value_.channels;
  const int64_t groups = description.integer();
  if (groups < 0 || groups > channels || (groups > 0 && channels % groups != 0)) {
    description.refuse(std::to_string(groups) + " groups do not divide " +
                       std::to_string(channels) + " channels");
  }
  norm_.activation = description.activation();
  norm_.epsilon = static_cast<float>(description.number());
  norm_.alpha = static_cast<float>(description.number());
  read_numbers(description);
  // Channels are lanes where each is alone.
  const bool alone = groups == 0 || groups == channels;
  const int64_t members = alone ? 1 : channels / groups;
  description.check_planned(multiplied(value_.positions, members));
  for (int64_t position = 0; position < value_.positions; ++position) {
    for (int64_t i = 0; i < members; ++i) places_.push_back(position * channels + i);
  }
  norm_.period = members;
  if (alone || !lanes_) {
    // Groups too, in plain images: their first channels are `members` apart.
    starts_ = {0};
    inner_ = channels / members;
    stride_ = members;
    norm_.lane_step = members;
  } else {
    for (int64_t group = 0; group < groups; ++group) starts_.push_back(group * members);
    norm_.group_step = members;
  }
}

LayerNorm::LayerNorm(Description& description, const Target& target)
    : Normalise(description, target) {
  norm_.activation = Activation::kNone;
  norm_.epsilon = static_cast<float>(description.number());
  read_numbers(description);
  description.check_planned(std::max(value_.positions, value_.channels));
  for (int64_t i = 0; i < value_.channels; ++i) places_.push_back(i);
  norm_.period = value_.channels;
  if (lanes_) {
    for (int64_t i = 0; i < value_.positions; ++i) starts_.push_back(i * value_.channels);
  } else {
    rows_ = value_.channels >= kLongRow;
    starts_ = {0};
    inner_ = value_.positions;
    stride_ = value_.channels;
  }
}

}  // namespace gk
