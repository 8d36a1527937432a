#include "rows/convolution.h"

#include <algorithm>

namespace gk {

RowsConvolution::RowsConvolution(Description& description, const Target& target)
    : layer_(description, target) {
  description.expect(description.output(0), GK_ROWS, Description::kAny, Description::kAny);
  const RowWeights weights = layer_.weights(description);
  check_panels(description);
  for (int axis = 0; axis < 3; ++axis) phases_[axis] = phases(layer_.geometry, axis);
  for (const RowAxis& outer : phases_[0]) {
    for (const RowAxis& middle : phases_[1]) {
      for (const RowAxis& inner : phases_[2]) {
        for (int first = 0; first < layer_.out_channels; first += kRowChannels) {
          std::vector<RowColumn> columns;
          const int last = std::min(first + kRowChannels, layer_.out_channels);
          for (int channel = first; channel < last; ++channel) columns.push_back({{}, channel});
          panels_.add({&outer, &middle, &inner}, std::move(columns));
        }
      }
    }
  }
  panels_.pack(description, weights, *layer_.kernels);
}

void RowsConvolution::check_panels(const Description& description) const {
  constexpr int64_t kMostPanels = int64_t{1} << 20;
  const Geometry& geometry = layer_.geometry;
  int64_t panels = blocks_of(layer_.out_channels);
  for (int axis = 0; axis < 3; ++axis) {
    const int phases = geometry.transposed ? geometry.stride[axis] : 1;
    panels = multiplied(panels, std::min(phases, geometry.output[axis]));
  }
  if (panels <= kMostPanels) return;
  description.refuse("has " + std::to_string(panels) + " products of a phase and 32 channels, " +
                     "more than " + std::to_string(kMostPanels));
}

void RowsConvolution::run(const Work& work) const {
  const Geometry& geometry = layer_.geometry;
  RowTask task = layer_.task(work);
  RowBlock out{static_cast<uint16_t*>(work.outputs[0]), {}, blocks_of(layer_.out_channels), 0};
  for (int axis = 0; axis < 3; ++axis) out.axes[axis] = geometry.output[axis];
  const int inner = static_cast<int>(phases_[2].size());
  const int middle = static_cast<int>(phases_[1].size());
  const auto first = static_cast<int>(int64_t{panels_.size()} * work.part / work.parts);
  const auto last = static_cast<int>(int64_t{panels_.size()} * (work.part + 1) / work.parts);
  for (int panel = first; panel < last; ++panel) {
    const int phase = panel / out.blocks;
    const int numbers[3] = {phase / inner / middle, phase / inner % middle, phase % inner};
    bool none = false;
    for (int axis = 0; axis < 3; ++axis) {
      const bool banded = axis == geometry.outermost();
      task.axes[axis] = phases_[axis][numbers[axis]].within(
          banded ? work.begin : 0, banded ? work.end : geometry.output[axis]);
      none |= task.axes[axis].count == 0;
    }
    if (none) continue;
    task.panel = panels_[panel];
    task.next_bytes = panel + 1 < last ? panels_[panel + 1].bytes : 0;
    task.next = reinterpret_cast<const char*>(task.panel.weights) + task.panel.bytes;
    out.block = panel % out.blocks;
    layer_.kernels->to_rows(task, out);
  }
}

}  // namespace gk
