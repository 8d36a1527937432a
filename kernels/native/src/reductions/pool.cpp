// kind "pool": the mean or max over windows of each channel. Windows that meet as many inputs along
// each axis share the list of their places.

#include <algorithm>
#include <array>
#include <map>

#include "reductions/folding.h"

namespace gk {
namespace {

// The inputs that an output meets along an axis: so many, `dilation` apart.
struct Window {
  int64_t first;
  int64_t count;
};

std::vector<Window> windows_of(const Geometry& geometry, int axis) {
  const int64_t dilation = geometry.dilation[axis];
  const int64_t last = int64_t{geometry.input[axis]} - 1;
  std::vector<Window> windows;
  for (int64_t i = 0; i < geometry.output[axis]; ++i) {
    const int64_t begin = i * geometry.stride[axis] - geometry.padding[axis];
    const int64_t skipped = begin < 0 ? (-begin + dilation - 1) / dilation : 0;
    const int64_t first = begin + skipped * dilation;
    const int64_t inside = first <= last ? (last - first) / dilation + 1 : 0;
    const int64_t left = std::max<int64_t>(geometry.kernel[axis] - skipped, 0);
    const int64_t count = std::min(inside, left);
    windows.push_back({count > 0 ? first : 0, count});
  }
  return windows;
}

}  // namespace

Pool::Pool(Description& description, const Target& target) : Folding(description, target, true) {
  const Geometry geometry = description.geometry();
  const bool mean = description.integer(0, 1) == 0;
  const bool count_outside = description.integer(0, 1) == 1;
  if (geometry.transposed) description.refuse("a window is a forward geometry's");
  const auto form = static_cast<gk_form>(output_.form);
  description.expect(input_, form, geometry.positions_in(), output_.channels);
  description.expect(output_, form, geometry.positions_out(), output_.channels);
  if (rows_ > 1 && geometry.output[geometry.outermost()] != rows_) {
    description.refuse("the outermost axis has other than " + std::to_string(rows_) + " rows");
  }
  const int64_t channels = output_.channels;
  const int64_t row = geometry.input[2] * channels;
  const int64_t plane = geometry.input[1] * row;
  std::vector<FoldOutput> outputs;
  Sizes places;
  // Where the places of windows begin that meet so many inputs along each axis.
  std::map<std::array<int64_t, 3>, int64_t> begins;
  const auto begin_of = [&](const std::array<int64_t, 3>& counts) {
    const auto [at, is_new] = begins.emplace(counts, static_cast<int64_t>(places.size()));
    if (!is_new) return at->second;
    // Inputs of a window: no more than the map has.
    description.check_planned(at->second + counts[0] * counts[1] * counts[2]);
    for (int64_t z = 0; z < counts[0]; ++z) {
      for (int64_t y = 0; y < counts[1]; ++y) {
        for (int64_t x = 0; x < counts[2]; ++x) {
          places.push_back(z * geometry.dilation[0] * plane + y * geometry.dilation[1] * row +
                           x * geometry.dilation[2] * channels);
        }
      }
    }
    return at->second;
  };
  const auto columns = windows_of(geometry, 2);
  const auto rows = windows_of(geometry, 1);
  for (const Window& z : windows_of(geometry, 0)) {
    for (const Window& y : rows) {
      for (const Window& x : columns) {
        const int64_t begin = begin_of({z.count, y.count, x.count});
        const int64_t count = z.count * y.count * x.count;
        const int64_t divisor = count_outside ? geometry.taps() : count;
        outputs.push_back({z.first * plane + y.first * row + x.first * channels,
                           static_cast<int64_t>(outputs.size()) * channels, begin, begin + count,
                           static_cast<float>(divisor)});
      }
    }
  }
  set(mean ? FoldFunction::kMean : FoldFunction::kMax, std::move(outputs), std::move(places), {},
      channels, 1);
}

}  // namespace gk
