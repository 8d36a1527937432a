// The classes of staged layers: where the map ends is left to the gathering of rows.

#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "positions/grid.h"

namespace gk {
namespace {

// Anchors of an axis by what the stride leaves of their place.
std::vector<std::vector<int>> sort_by_rest(const Geometry& geometry, const GridAxis& axis, int at) {
  const bool apart = geometry.transposed && axis.phases == 1;
  std::map<int, std::vector<int>> sorted;
  for (int anchor = 0; anchor < static_cast<int>(axis.meetings.size()); ++anchor) {
    const int rest = apart ? (anchor + geometry.padding[at]) % geometry.stride[at] : 0;
    sorted[rest].push_back(anchor);
  }
  std::vector<std::vector<int>> classes;
  for (auto& [rest, anchors] : sorted) classes.push_back(std::move(anchors));
  return classes;
}

// What one anchor reads at each tap of its class; -1 is outside the map.
using Reads = std::vector<int>;

// Taps that any of the anchors meets, and what each anchor reads.
struct AxisReads {
  AxisReads(const GridAxis& axis, const std::vector<int>& anchors) {
    std::set<int> met;
    for (const int anchor : anchors) {
      for (const Meeting& meeting : axis.meetings[anchor]) met.insert(meeting.tap);
    }
    taps.assign(met.begin(), met.end());
    for (const int anchor : anchors) {
      Reads row;
      for (const int tap : taps) {
        int input = -1;
        for (const Meeting& meeting : axis.meetings[anchor]) {
          if (meeting.tap == tap) input = meeting.input;
        }
        row.push_back(input);
      }
      reads.push_back(row);
    }
  }
  // What the first anchor reads at each tap, if every next one reads the next of so many inputs,
  // or none where that is outside; else nothing.
  Reads line(int inputs) const {
    Reads first;
    for (std::size_t tap = 0; tap < taps.size(); ++tap) {
      const int anchors = static_cast<int>(reads.size());
      int start = 0;
      for (int anchor = 0; anchor < anchors; ++anchor) {
        if (reads[anchor][tap] >= 0) start = reads[anchor][tap] - anchor;
      }
      for (int anchor = 0; anchor < anchors; ++anchor) {
        const int input = start + anchor;
        if (reads[anchor][tap] != (input >= 0 && input < inputs ? input : -1)) return {};
      }
      first.push_back(start);
    }
    return first;
  }
  std::vector<int> taps;
  std::vector<Reads> reads;  // [anchors][taps]
};

}  // namespace

GridClass Grid::merged_class(const std::array<const std::vector<int>*, 3>& anchors) const {
  const AxisReads outer(axes_[0], *anchors[0]);
  const AxisReads middle(axes_[1], *anchors[1]);
  const AxisReads inner(axes_[2], *anchors[2]);
  const Axes& size = geometry_.input;
  GridClass made;
  for (const int z : outer.taps) {
    for (const int y : middle.taps) {
      for (const int x : inner.taps) {
        made.taps.push_back((z * static_cast<int>(axes_[1].kernel_taps.size()) + y) *
                                static_cast<int>(axes_[2].kernel_taps.size()) +
                            x);
      }
    }
  }
  const Reads outer_line = outer.line(size[0]), middle_line = middle.line(size[1]);
  for (const int z : outer_line) {
    for (const int y : middle_line) {
      for (const int x : inner.line(size[2])) made.reads.push_back({z, y, x});
    }
  }
  for (int axis = 0; axis < 3; ++axis) {
    made.anchors[axis] = static_cast<int>(anchors[axis]->size());
  }
  for (std::size_t a = 0; a < anchors[0]->size(); ++a) {
    for (std::size_t b = 0; b < anchors[1]->size(); ++b) {
      for (std::size_t c = 0; c < anchors[2]->size(); ++c) {
        ++made.rows;
        add_outputs((*anchors[0])[a], (*anchors[1])[b], (*anchors[2])[c], made.outputs);
        for (const int z : outer.reads[a]) {
          for (const int y : middle.reads[b]) {
            for (const int x : inner.reads[c]) {
              const bool stands = z >= 0 && y >= 0 && x >= 0;
              made.places.push_back(stands ? (z * size[1] + y) * size[2] + x : -1);
            }
          }
        }
      }
    }
  }
  return made;
}

std::vector<GridClass> Grid::merged_classes() const {
  std::vector<GridClass> found;
  for (const auto& outer : sort_by_rest(geometry_, axes_[0], 0)) {
    for (const auto& middle : sort_by_rest(geometry_, axes_[1], 1)) {
      for (const auto& inner : sort_by_rest(geometry_, axes_[2], 2)) {
        found.push_back(merged_class({&outer, &middle, &inner}));
      }
    }
  }
  return found;
}

int64_t row_taps(const std::vector<GridClass>& classes, int images) {
  int64_t count = 0;
  for (const GridClass& rows : classes) {
    count += static_cast<int64_t>(rows.rows) * images * static_cast<int64_t>(rows.taps.size());
  }
  return count;
}

int64_t tile_taps(const std::vector<GridClass>& classes, int images) {
  int64_t count = 0;
  for (const GridClass& rows : classes) {
    const int64_t tiles = (static_cast<int64_t>(rows.rows) * images + kTileRows - 1) / kTileRows;
    count += tiles * static_cast<int64_t>(rows.taps.size());
  }
  return count;
}

std::vector<GridClass> Grid::placed(std::vector<GridClass> classes, int64_t words) {
  for (GridClass& rows : classes) {
    for (const int64_t input : rows.inputs) {
      for (const int64_t step : rows.steps) {
        rows.places.push_back(static_cast<int32_t>((input + step) / words));
      }
    }
  }
  return classes;
}

}  // namespace gk
