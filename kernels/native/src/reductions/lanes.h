// How elements of a value are laid out as lanes of sums.

#pragma once

#include "forms.h"
#include "memory.h"
#include "operation.h"
#include "shape.h"

namespace gk {

// Lanes that are the images of GK_LANES, each with `inner` elements that follow each other; or, of
// GK_PLAIN, `inner` elements that are `stride` apart.
inline Lanes lanes_of(const gk_value& from, const gk_value& to, const Work& work, int64_t inner,
                      int64_t stride) {
  if (from.form == GK_LANES) return {inner * work.capacity, 1, work.capacity, 1, 0, 0};
  return {inner, stride, 1, work.images, elements(from), elements(to)};
}

inline Buffer<int64_t> keep_places(const Sizes& places) {
  Buffer<int64_t> kept(places.size());
  for (size_t i = 0; i < places.size(); ++i) kept[i] = places[i];
  return kept;
}

}  // namespace gk
