#include "moves/rearrange.h"

#include <algorithm>
#include <limits>
#include <string>

#include "limits.h"

namespace gk {
namespace {

// How far one element, or what is added to an axis, may reach.
constexpr int64_t kMostStep = std::numeric_limits<int>::max();

// Where each index lies that stays where it is.
Sizes identity(int64_t size, int64_t stride) {
  Sizes places(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) places[static_cast<size_t>(i)] = i * stride;
  return places;
}

// Places are listed axis by axis.
void check_axes(const Description& description, const Sizes& shape) {
  for (const int64_t size : shape) description.check_planned(size);
}

// What is done to blocks of channels must leave all channels where they are.
void keep_channels(const Description& description, const gk_value& output, bool kept) {
  if (is_bfloat16(output) && !kept) description.refuse("bfloat16 channels must stay as they are");
}

enum class Mode { kConstant, kReflect, kEdge, kWrap };

// The index of a source of `size` that stands at `place`, counted from its first; -1 for none.
int64_t source_of(Mode mode, int64_t place, int64_t size) {
  if (place >= 0 && place < size) return place;
  const auto modulo = [](int64_t a, int64_t b) { return (a % b + b) % b; };
  switch (mode) {
    case Mode::kConstant:
      return -1;
    case Mode::kReflect: {
      if (size == 1) return 0;
      const int64_t turn = modulo(place, 2 * (size - 1));
      return turn < size ? turn : 2 * (size - 1) - turn;
    }
    case Mode::kEdge:
      return place < 0 ? 0 : size - 1;
    case Mode::kWrap:
      return modulo(place, size);
  }
  __builtin_unreachable();
}

}  // namespace

Concat::Concat(Description& description, const Target& target)
    : Move(description, target, description.input_count(), true) {
  const int axis = description.integer(0, 7);
  const Sizes shape = read_shape(description);
  check_shape(description, output_, shape);
  if (axis >= static_cast<int>(shape.size())) description.refuse("there is no such axis");
  const size_t at = static_cast<size_t>(axis), count = description.input_count();
  const Sizes parts = read_sizes(description, count, 0);
  const bool channels = at + 1 == shape.size();
  int64_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    Sizes part = shape;
    part[at] = parts[i];
    total += parts[i];
    check_shape(description, description.input(static_cast<int>(i)), part);
    keep_channels(description, output_, !channels || i + 1 == count || parts[i] % 32 == 0);
  }
  if (total != shape[at]) description.refuse("the inputs do not make up the output");
  if (product(shape) == 0) return;
  const Sizes units = in_units(shape);
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < units.size(); ++i) (i < at ? outer : inner) *= i == at ? 1 : units[i];
  description.check_planned(outer * static_cast<int64_t>(count));
  for (int64_t i = 0; i < outer; ++i) {
    for (size_t k = 0; k < count; ++k) {
      const bool blocks = channels && is_bfloat16(output_);
      const int64_t run = (blocks ? (parts[k] + 31) / 32 : parts[k]) * inner;
      append({0, i * run, 1, run, static_cast<int>(k)});
    }
  }
}

Permute::Permute(Description& description, const Target& target)
    : Move(description, target, 1, true) {
  const Sizes shape = read_shape(description);
  const Sizes axes = read_sizes(description, shape.size(), 0);
  check_shape(description, description.input(0), shape);
  Sizes sorted = axes, result(shape.size());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < axes.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i)) description.refuse("the axes are no permutation");
  }
  for (size_t i = 0; i < axes.size(); ++i) result[i] = shape[static_cast<size_t>(axes[i])];
  check_shape(description, output_, result);
  const bool kept = axes.empty() || axes.back() == static_cast<int64_t>(axes.size()) - 1;
  keep_channels(description, output_, kept);
  check_axes(description, result);
  if (product(shape) == 0) return;
  const Sizes units = in_units(shape), strides = strides_of(units);
  std::vector<Sizes> tables;
  for (const int64_t axis : axes) {
    const size_t source = static_cast<size_t>(axis);
    tables.push_back(identity(units[source], strides[source]));
  }
  append_axes(description, tables);
}

Slice::Slice(Description& description, const Target& target) : Move(description, target, 1, true) {
  const Sizes shape = read_shape(description);
  const Sizes begin = read_sizes(description, shape.size(), 0);
  const Sizes sizes = read_sizes(description, shape.size(), 0);
  Sizes step(shape.size());
  for (int64_t& each : step) each = description.integer(-kMostStep, kMostStep);
  check_shape(description, description.input(0), shape);
  check_shape(description, output_, sizes);
  check_axes(description, sizes);
  if (product(sizes) == 0) return;
  const Sizes strides = strides_of(in_units(shape));
  std::vector<Sizes> tables;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t last = begin[axis] + step[axis] * (sizes[axis] - 1);
    if (begin[axis] >= shape[axis] || last < 0 || last >= shape[axis]) {
      description.refuse("axis " + std::to_string(axis) + " does not have what is taken of it");
    }
    Sizes places(static_cast<size_t>(sizes[axis]));
    for (size_t i = 0; i < places.size(); ++i) {
      places[i] = (begin[axis] + step[axis] * static_cast<int64_t>(i)) * strides[axis];
    }
    const bool channels = axis + 1 == shape.size();
    const bool whole = sizes[axis] == shape[axis] && (sizes[axis] < 2 || step[axis] == 1);
    if (channels && is_bfloat16(output_)) {
      keep_channels(description, output_, whole);
      places = identity(channel_blocks(output_), 1);
    }
    tables.push_back(std::move(places));
  }
  append_axes(description, tables);
}

Pad::Pad(Description& description, const Target& target) : Move(description, target, 1, true) {
  const auto mode = static_cast<Mode>(description.integer(0, 3));
  const Sizes shape = read_shape(description);
  Sizes before(shape.size()), after(shape.size()), result = shape;
  for (int64_t& each : before) each = description.integer(-kMostStep, kMostStep);
  for (int64_t& each : after) each = description.integer(-kMostStep, kMostStep);
  const float value = static_cast<float>(description.number());
  check_shape(description, description.input(0), shape);
  // What is cut off does not take part in what is repeated.
  const auto kept_of = [&](size_t axis) {
    return shape[axis] + std::min<int64_t>(before[axis], 0) + std::min<int64_t>(after[axis], 0);
  };
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t kept = kept_of(axis);
    result[axis] = shape[axis] + before[axis] + after[axis];
    const bool more = before[axis] > 0 || after[axis] > 0;
    if (kept < 0 || result[axis] < 0 || (mode != Mode::kConstant && more && kept == 0)) {
      description.refuse("axis " + std::to_string(axis) + " is too small for its padding");
    }
    const bool whole = before[axis] == 0 && after[axis] == 0;
    if (axis + 1 == shape.size()) keep_channels(description, output_, whole);
  }
  check_shape(description, output_, result);
  check_axes(description, result);
  if (product(result) == 0) return;
  const Sizes units = in_units(shape), strides = strides_of(units);
  std::vector<Sizes> tables;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (before[axis] == 0 && after[axis] == 0) {
      tables.push_back(identity(units[axis], strides[axis]));
      continue;
    }
    const int64_t first = std::max<int64_t>(-before[axis], 0);
    Sizes places(static_cast<size_t>(result[axis]));
    for (size_t i = 0; i < places.size(); ++i) {
      const int64_t place = static_cast<int64_t>(i) - std::max<int64_t>(before[axis], 0);
      const int64_t source = source_of(mode, place, kept_of(axis));
      places[i] = source < 0 ? kNowhere : multiplied(first + source, strides[axis]);
    }
    tables.push_back(std::move(places));
  }
  const std::vector<float> filled(static_cast<size_t>(output_.channels), value);
  set_table(filled.data(), 1, output_.channels);
  append_axes(description, tables);
}

Upsample::Upsample(Description& description, const Target& target)
    : Move(description, target, 1, true) {
  Sizes shape = read_shape(description);
  if (shape.empty()) description.refuse("has no axes to repeat");
  const Sizes scales = read_sizes(description, shape.size() - 1, 1);
  check_shape(description, description.input(0), shape);
  const Sizes units = in_units(shape), strides = strides_of(units);
  for (size_t axis = 0; axis < scales.size(); ++axis) shape[axis] *= scales[axis];
  check_shape(description, output_, shape);
  check_axes(description, shape);
  if (product(shape) == 0) return;
  std::vector<Sizes> tables;
  for (size_t axis = 0; axis < scales.size(); ++axis) {
    Sizes places(static_cast<size_t>(shape[axis]));
    for (size_t i = 0; i < places.size(); ++i) {
      places[i] = static_cast<int64_t>(i) / scales[axis] * strides[axis];
    }
    tables.push_back(std::move(places));
  }
  tables.push_back(identity(units.back(), 1));
  append_axes(description, tables);
}

Constant::Constant(Description& description, const Target& target)
    : Move(description, target, 0, false) {
  set_table(description.array(elements(output_)), output_.positions, output_.channels);
  const int64_t units = product(in_units({output_.positions, output_.channels}));
  append({0, 0, 1, units, kTable});
}

}  // namespace gk
