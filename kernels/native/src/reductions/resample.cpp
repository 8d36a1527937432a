// kind "resample": positions mixed by matrices, one an axis. All axes are mixed at once: an output
// position takes those input positions whose weight, the product of the axes', is not zero.

#include <algorithm>

#include "limits.h"
#include "reductions/folding.h"

namespace gk {
namespace {

// An input along one axis, and its weight.
struct Tap {
  int64_t input;
  double weight;
};

using Taps = std::vector<Tap>;

// Those of every output along an axis; each input is its own where there is no matrix.
std::vector<Taps> taps_of(const float* matrix, int64_t now, int64_t before) {
  std::vector<Taps> taps(static_cast<size_t>(now));
  for (int64_t i = 0; i < now; ++i) {
    if (!matrix) taps[static_cast<size_t>(i)] = {{i, 1.0}};
    for (int64_t j = 0; matrix && j < before; ++j) {
      const float weight = matrix[i * before + j];
      if (weight != 0.0f) taps[static_cast<size_t>(i)].push_back({j, weight});
    }
  }
  return taps;
}

int64_t count_taps(const std::vector<Taps>& taps) {
  int64_t count = 0;
  for (const Taps& each : taps) count += static_cast<int64_t>(each.size());
  return count;
}

}  // namespace

Resample::Resample(Description& description, const Target& target)
    : Folding(description, target, true) {
  Sizes shape = read_shape(description);
  if (shape.empty()) description.refuse("has no axes to mix");
  const Sizes now = read_sizes(description, shape.size() - 1, 0);
  check_shape(description, input_, shape);
  std::vector<std::vector<Taps>> axes;
  int64_t all = 1;
  for (size_t axis = 0; axis < now.size(); ++axis) {
    const int64_t before = shape[axis];
    const float* matrix = description.optional_array(now[axis] * before);
    if (!matrix && now[axis] != before) {
      description.refuse("axis " + std::to_string(axis) + " has no matrix but another size");
    }
    description.check_planned(now[axis]);
    axes.push_back(taps_of(matrix, now[axis], before));
    all = multiplied(all, count_taps(axes.back()));
  }
  if (all > kMostTaps) {
    description.refuse("would list " + std::to_string(all) + " weights, more than " +
                       std::to_string(kMostTaps));
  }
  const Sizes before(shape.begin(), shape.end() - 1);
  std::copy(now.begin(), now.end(), shape.begin());
  check_shape(description, output_, shape);
  description.check_planned(product(now));
  if (rows_ > 1 && shape[0] != rows_) {
    description.refuse("the outermost axis has other than " + std::to_string(rows_) + " rows");
  }
  const int64_t channels = output_.channels;
  std::vector<FoldOutput> outputs;
  Sizes places;
  std::vector<float> weights;
  const Sizes strides = strides_of(now);
  for (int64_t position = 0; position < product(now); ++position) {
    const auto begin = static_cast<int64_t>(places.size());
    Taps taps{{0, 1.0}};
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      const int64_t at = position / strides[axis] % now[axis];
      Taps next;
      for (const Tap& outer : taps) {
        for (const Tap& inner : axes[axis][static_cast<size_t>(at)]) {
          next.push_back({outer.input * before[axis] + inner.input, outer.weight * inner.weight});
        }
      }
      taps = std::move(next);
    }
    for (const Tap& tap : taps) {
      places.push_back(tap.input * channels);
      weights.push_back(static_cast<float>(tap.weight));
    }
    outputs.push_back({0, position * channels, begin, static_cast<int64_t>(places.size()), 1.0f});
  }
  set(FoldFunction::kWeighted, std::move(outputs), std::move(places), std::move(weights), channels,
      1);
}

}  // namespace gk
