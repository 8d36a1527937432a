#include "positions/grid.h"

#include <algorithm>
#include <map>

namespace gk {
namespace {

// Anchors of an axis by the taps that they meet.
using AxisClasses = std::map<std::vector<int>, std::vector<int>>;

AxisClasses sort_anchors(const GridAxis& axis) {
  AxisClasses classes;
  for (size_t anchor = 0; anchor < axis.meetings.size(); ++anchor) {
    std::vector<int> taps;
    for (const Meeting& meeting : axis.meetings[anchor]) taps.push_back(meeting.tap);
    classes[taps].push_back(static_cast<int>(anchor));
  }
  return classes;
}

}  // namespace

GridAxis::GridAxis(const Geometry& geometry, int axis, int axis_phases)
    : phases(axis_phases), output(geometry.output[axis]) {
  const int anchors = (output + phases - 1) / phases;
  // How far inputs move from anchor to anchor; phases are 1, or a multiple of a transposed stride.
  const int stride = geometry.stride[axis];
  const int step = geometry.transposed ? phases / stride : phases * stride;
  meetings.resize(anchors);
  if (phases == 1) {
    for (int tap = 0; tap < geometry.kernel[axis]; ++tap) kernel_taps.push_back({tap});
    for (int anchor = 0; anchor < anchors; ++anchor) {
      meetings[anchor] = geometry.meetings(axis, anchor);
    }
    return;
  }
  // A tap of the grid is a distance from the anchor's input.
  std::map<int, std::vector<int>> distances;
  for (int position = 0; position < output; ++position) {
    const int anchor = position / phases;
    for (const Meeting& meeting : geometry.meetings(axis, position)) {
      auto& taps = distances[meeting.input - anchor * step];
      taps.resize(phases, -1);
      taps[position % phases] = meeting.tap;
      meetings[anchor].push_back({0, meeting.input});
    }
  }
  std::map<int, int> numbers;  // of distances, rising
  for (const auto& [distance, taps] : distances) {
    numbers.emplace(distance, static_cast<int>(kernel_taps.size()));
    kernel_taps.push_back(taps);
  }
  for (int anchor = 0; anchor < anchors; ++anchor) {
    std::map<int, int> inputs;  // by tap of the grid
    for (const Meeting& meeting : meetings[anchor]) {
      inputs.emplace(numbers.at(meeting.input - anchor * step), meeting.input);
    }
    meetings[anchor].clear();
    for (const auto& [tap, input] : inputs) meetings[anchor].push_back({tap, input});
  }
}

int64_t GridAxis::meeting_count() const {
  int64_t count = 0;
  for (const auto& met : meetings) count += static_cast<int64_t>(met.size());
  return count;
}

Grid::Grid(const Geometry& geometry, const std::array<int, 3>& phases)
    : geometry_(geometry),
      axes_{GridAxis(geometry, 0, phases[0]), GridAxis(geometry, 1, phases[1]),
            GridAxis(geometry, 2, phases[2])} {}

Grid Grid::plain(const Geometry& geometry) {
  const bool apart = geometry.transposed && geometry.kernel == geometry.stride &&
                     geometry.padding == Axes{0, 0, 0} && geometry.dilation == Axes{1, 1, 1};
  return Grid(geometry, apart ? geometry.stride : Axes{1, 1, 1});
}

Grid Grid::best(const Geometry& geometry, int channels, int lanes) {
  constexpr int kMostPhases = 8;
  // Columns that phases make, in vectors; of wide layers so many that the last is a small part.
  const int most = (channels < lanes ? 2 : 16) * lanes;
  std::array<std::vector<int>, 3> choices;
  for (int axis = 0; axis < 3; ++axis) {
    const int step = geometry.transposed ? geometry.stride[axis] : 1;
    choices[axis].push_back(1);
    for (int phases = std::max(step, 2); phases <= kMostPhases; phases += step) {
      if (phases % step == 0 && phases <= geometry.output[axis]) choices[axis].push_back(phases);
    }
  }
  std::array<int, 3> best{1, 1, 1};
  int64_t least = Grid(geometry, best).work(channels, lanes);
  for (const int outer : choices[0]) {
    for (const int middle : choices[1]) {
      for (const int inner : choices[2]) {
        if (outer * middle * inner * channels > most) continue;
        const int64_t work = Grid(geometry, {outer, middle, inner}).work(channels, lanes);
        if (work >= least) continue;
        least = work;
        best = {outer, middle, inner};
      }
    }
  }
  // As good with every phase of a stride reads inputs once.
  const Grid together = plain(geometry);
  return together.work(channels, lanes) <= least ? together : Grid(geometry, best);
}

int Grid::taps() const {
  size_t taps = 1;
  for (const GridAxis& axis : axes_) taps *= axis.kernel_taps.size();
  return static_cast<int>(taps);
}

int64_t Grid::class_taps() const {
  int64_t all = 1;
  for (const GridAxis& axis : axes_) {
    int64_t taps = 0;
    for (const auto& [met, anchors] : sort_anchors(axis)) taps += static_cast<int64_t>(met.size());
    all = multiplied(all, taps);
  }
  return all;
}

int Grid::kernel_tap(int tap, int phase) const {
  std::array<int, 3> taps;
  for (int axis = 2; axis >= 0; --axis) {
    const auto& kernel_taps = axes_[axis].kernel_taps;
    const int count = static_cast<int>(kernel_taps.size());
    taps[axis] = kernel_taps[tap % count][phase % axes_[axis].phases];
    if (taps[axis] < 0) return -1;
    tap /= count;
    phase /= axes_[axis].phases;
  }
  return (taps[0] * geometry_.kernel[1] + taps[1]) * geometry_.kernel[2] + taps[2];
}

int64_t Grid::work(int channels, int lanes) const {
  int64_t work = (phases() * channels + lanes - 1) / lanes;
  if (work > 1) work += work % 2;
  for (const GridAxis& axis : axes_) work *= axis.meeting_count();
  return work;
}

void Grid::add_outputs(int z, int y, int x, std::vector<int32_t>& outputs) const {
  const Axes& size = geometry_.output;
  for (int phase = 0; phase < phases(); ++phase) {
    const int outside = phase / axes_[2].phases;
    const int out_x = x * axes_[2].phases + phase % axes_[2].phases;
    const int out_y = y * axes_[1].phases + outside % axes_[1].phases;
    const int out_z = z * axes_[0].phases + outside / axes_[1].phases;
    const bool stands = out_x < size[2] && out_y < size[1] && out_z < size[0];
    outputs.push_back(stands ? (out_z * size[1] + out_y) * size[2] + out_x : -1);
  }
}

std::vector<GridClass> Grid::classes(int64_t words) const {
  std::vector<GridClass> found;
  const Axes& input = geometry_.input;
  const auto tap_count = [&](int axis) {
    return static_cast<int>(axes_[axis].kernel_taps.size());
  };
  const auto word = [&](int z, int y, int x) {
    return ((static_cast<int64_t>(z) * input[1] + y) * input[2] + x) * words;
  };
  const AxisClasses outer = sort_anchors(axes_[0]);
  const AxisClasses middle = sort_anchors(axes_[1]);
  const AxisClasses inner = sort_anchors(axes_[2]);
  for (const auto& [z_taps, zs] : outer) {
    for (const auto& [y_taps, ys] : middle) {
      for (const auto& [x_taps, xs] : inner) {
        GridClass made;
        const bool meets = !z_taps.empty() && !y_taps.empty() && !x_taps.empty();
        const auto input_of = [&](int axis, int anchor, size_t tap) {
          return axes_[axis].meetings[anchor][tap].input;
        };
        for (const int z : zs) {
          for (const int y : ys) {
            for (const int x : xs) {
              ++made.rows;
              made.inputs.push_back(
                  meets ? word(input_of(0, z, 0), input_of(1, y, 0), input_of(2, x, 0)) : 0);
              add_outputs(z, y, x, made.outputs);
            }
          }
        }
        for (size_t a = 0; meets && a < z_taps.size(); ++a) {
          for (size_t b = 0; b < y_taps.size(); ++b) {
            for (size_t c = 0; c < x_taps.size(); ++c) {
              made.taps.push_back((z_taps[a] * tap_count(1) + y_taps[b]) * tap_count(2) +
                                  x_taps[c]);
              made.steps.push_back(
                  word(input_of(0, zs[0], a) - input_of(0, zs[0], 0),
                       input_of(1, ys[0], b) - input_of(1, ys[0], 0),
                       input_of(2, xs[0], c) - input_of(2, xs[0], 0)));
            }
          }
        }
        found.push_back(std::move(made));
      }
    }
  }
  return found;
}

}  // namespace gk
