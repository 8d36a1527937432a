// kind "resample": positions mixed by matrices, one an axis. All axes are mixed at once: an output
// position takes those input positions whose weight, the product of the axes', is not zero.

#include "reductions/folding.h"

namespace gk {
namespace {

// An input along one axis, and its weight.
struct Tap {
  int64_t input;
  double weight;
};

std::vector<std::vector<Tap>> taps_of(const float* matrix, int64_t now, int64_t before) {
  std::vector<std::vector<Tap>> taps(static_cast<size_t>(now));
  for (int64_t i = 0; i < now; ++i) {
    for (int64_t j = 0; j < before; ++j) {
      const float weight = matrix ? matrix[i * before + j] : static_cast<float>(i == j);
      if (weight != 0.0f) taps[static_cast<size_t>(i)].push_back({j, weight});
    }
  }
  return taps;
}

}  // namespace

Resample::Resample(Description& description, const Target& target)
    : Folding(description, target, true) {
  Sizes shape = read_shape(description);
  if (shape.empty()) description.refuse("has no axes to mix");
  const Sizes now = read_sizes(description, shape.size() - 1, 0);
  check_shape(description, input_, shape);
  // Lists of taps of every position, an axis after the other.
  std::vector<std::vector<Tap>> all{{{0, 1.0}}};
  for (size_t axis = 0; axis < now.size(); ++axis) {
    const int64_t before = shape[axis];
    const float* matrix = description.optional_array(now[axis] * before);
    if (!matrix && now[axis] != before) {
      description.refuse("axis " + std::to_string(axis) + " has no matrix but another size");
    }
    const auto taps = taps_of(matrix, now[axis], before);
    std::vector<std::vector<Tap>> next;
    for (const auto& outer : all) {
      for (const auto& inner : taps) {
        auto& both = next.emplace_back();
        for (const Tap& a : outer) {
          for (const Tap& b : inner) {
            both.push_back({a.input * before + b.input, a.weight * b.weight});
          }
        }
      }
    }
    all = std::move(next);
    shape[axis] = now[axis];
  }
  check_shape(description, output_, shape);
  if (rows_ > 1 && shape[0] != rows_) {
    description.refuse("the outermost axis has other than " + std::to_string(rows_) + " rows");
  }
  const int64_t channels = output_.channels;
  std::vector<FoldOutput> outputs;
  Sizes places;
  std::vector<float> weights;
  for (const auto& taps : all) {
    const auto begin = static_cast<int64_t>(places.size());
    for (const Tap& tap : taps) {
      places.push_back(tap.input * channels);
      weights.push_back(static_cast<float>(tap.weight));
    }
    outputs.push_back({0, static_cast<int64_t>(outputs.size()) * channels, begin,
                       static_cast<int64_t>(places.size()), 1.0f});
  }
  set(FoldFunction::kWeighted, std::move(outputs), std::move(places), std::move(weights), channels,
      1);
}

}  // namespace gk
