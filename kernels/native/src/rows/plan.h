// Which inputs the outputs along an axis meet, arranged for products: outputs that share their
// weights are sites of one list.

#pragma once

#include <vector>

#include "geometry.h"
#include "rows/kernels.h"

namespace gk {

struct RowAxis {
  int group = 1;  // neighbouring outputs of a site
  int slots = 0;
  int step = 1;
  std::vector<int> taps;  // [slot][output of the group], -1 where they do not meet
  std::vector<RowSite> sites;

  // Sites with outputs in begin .. end - 1.
  RowSites within(int begin, int end) const;
};

// One output a site; a list for each phase of a transposed convolution's stride.
std::vector<RowAxis> phases(const Geometry& geometry, int axis);

// Slots of the weights of sites of `group` outputs.
int64_t grouped_slots(const Geometry& geometry, int axis, int group);

// Sites of `group` outputs. That of a transposed convolution must be a multiple of its stride; the
// groups begin where o + padding is a multiple of it, so the first may begin below 0.
RowAxis grouped(const Geometry& geometry, int axis, int group);

}  // namespace gk
