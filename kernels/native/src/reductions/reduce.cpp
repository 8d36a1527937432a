// kind "reduce": the mean, sum, max or min over axes, which stay, with size 1.

#include "limits.h"
#include "reductions/folding.h"

namespace gk {
namespace {

// Where all elements along the axes before `end` lie that are reduced (or those that are not).
Sizes places_along(const Description& description, const Sizes& shape, const Sizes& reduced,
                   int64_t which, size_t end) {
  const Sizes strides = strides_of(shape);
  Sizes places{0};
  for (size_t axis = 0; axis < end; ++axis) {
    if (reduced[axis] != which) continue;
    Sizes next;
    description.check_planned(multiplied(static_cast<int64_t>(places.size()), shape[axis]));
    for (const int64_t place : places) {
      for (int64_t i = 0; i < shape[axis]; ++i) next.push_back(place + i * strides[axis]);
    }
    places = std::move(next);
  }
  return places;
}

}  // namespace

Reduce::Reduce(Description& description, const Target& target)
    : Folding(description, target, false) {
  const auto function = static_cast<FoldFunction>(description.integer(0, 3));
  const Sizes shape = read_shape(description);
  Sizes reduced(shape.size()), result = shape;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    reduced[axis] = description.integer(0, 1);
    if (reduced[axis]) result[axis] = 1;
  }
  check_shape(description, input_, shape);
  check_shape(description, output_, result);
  // Axes that end the shape and are kept are lanes. In GK_PLAIN, where there are none, the last one
  // that is kept is, with its elements apart.
  const Sizes strides = strides_of(shape);
  int64_t inner = 1, stride = 1;
  size_t axis = shape.size();
  while (axis > 0 && !reduced[axis - 1]) inner *= shape[--axis];
  if (input_.form == GK_PLAIN && inner == 1) {
    while (axis > 0 && (reduced[axis - 1] || shape[axis - 1] == 1)) --axis;
    if (axis > 0) {
      inner = shape[--axis];
      stride = strides[axis];
    }
  }
  const Sizes places = places_along(description, shape, reduced, 1, shape.size());
  const Sizes starts = places_along(description, shape, reduced, 0, axis);
  const auto count = static_cast<int64_t>(places.size());
  if (count == 0 && function != FoldFunction::kSum) description.refuse("reduces nothing");
  std::vector<FoldOutput> outputs;
  for (size_t i = 0; i < starts.size(); ++i) {
    outputs.push_back(
        {starts[i], static_cast<int64_t>(i) * inner, 0, count, static_cast<float>(count)});
  }
  if (product(result) == 0) outputs.clear();
  set(function, std::move(outputs), places, {}, inner, stride);
}

}  // namespace gk
