// How workers share a layer. For positions/kernels.cpp only.

#pragma once

#include "positions/kernels.h"

namespace gk {
namespace {

// Tiles in the order in which weights lie, cut into shares of equal work: where there are many
// weights, each worker reads its own part of them.
class Shares {
 public:
  Shares(int64_t work, int part, int parts)
      : begin_(work * part / parts), end_(work * (part + 1) / parts) {}
  // Whether the next `work` is this worker's.
  bool take(int64_t work) {
    const bool mine = done_ >= begin_ && done_ < end_;
    done_ += work;
    return mine;
  }

 private:
  int64_t begin_;
  int64_t end_;
  int64_t done_ = 0;
};

// Work of a tile: also one that meets nothing is some.
int64_t work_of(const PositionClass& rows) { return rows.tap_count + 1; }

// Work of all tiles of a panel and an image, over all groups.
int64_t work_of(const PositionLayer& layer) {
  int64_t work = 0;
  for (int c = 0; c < layer.class_count; ++c) {
    work += work_of(layer.classes[c]) * layer.classes[c].rows;
  }
  return work * layer.groups;
}

}  // namespace
}  // namespace gk
