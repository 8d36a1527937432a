#include "rows/panels.h"

#include <algorithm>
#include <cstring>

namespace gk {
namespace {

constexpr int kTile = 16;
constexpr int kTileElements = 512;

// Input channels of a block that some column needs, as weights [32][columns up to 32].
class Stage {
 public:
  Stage(const RowWeights& weights, const std::vector<RowColumn>& columns)
      : weights_(weights), columns_(columns), depth_(weights.in_channels / weights.groups) {}

  // Taps of the three axes for each column, -1 where one does not meet.
  void fill(const RowAxis* const (&axes)[3], const Axes& slots, int block) {
    std::memset(data_, 0, sizeof data_);
    const int count = static_cast<int>(columns_.size());
    for (int first = 0; first < count;) {
      const int run = run_length(first);
      copy(tap(axes, slots, columns_[first].offsets), block, first, run);
      first += run;
    }
  }

  const float* data() const { return data_; }

 private:
  int group_of(int channel) const { return channel / (weights_.out_channels / weights_.groups); }

  // Columns from `first` on that lie side by side in the weights.
  int run_length(int first) const {
    const RowColumn& column = columns_[first];
    int run = 1;
    for (; first + run < static_cast<int>(columns_.size()); ++run) {
      const RowColumn& next = columns_[first + run];
      if (next.offsets != column.offsets || next.channel != column.channel + run ||
          group_of(next.channel) != group_of(column.channel)) {
        break;
      }
    }
    return run;
  }

  int tap(const RowAxis* const (&axes)[3], const Axes& slots, const Axes& offsets) const {
    int tap = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int mine = axes[axis]->taps[slots[axis] * axes[axis]->group + offsets[axis]];
      if (mine < 0) return -1;
      tap = tap * weights_.kernel[axis] + mine;
    }
    return tap;
  }

  void copy(int tap, int block, int first, int run) {
    if (tap < 0) return;
    const int channel = columns_[first].channel;
    const int least = group_of(channel) * depth_;
    const int begin = std::max(block * kRowChannels, least);
    const int end = std::min((block + 1) * kRowChannels, least + depth_);
    for (int in = begin; in < end; ++in) {
      const int64_t row = int64_t{tap} * depth_ + in - least;
      std::memcpy(data_ + (in - block * kRowChannels) * kRowChannels + first,
                  weights_.weight + row * weights_.out_channels + channel, run * sizeof(float));
    }
  }

  const RowWeights& weights_;
  const std::vector<RowColumn>& columns_;
  const int depth_;
  alignas(64) float data_[kRowChannels * kRowChannels];
};

}  // namespace

void RowPanels::add(const RowAxis* const (&axes)[3], std::vector<RowColumn> columns) {
  plans_.push_back({{axes[0], axes[1], axes[2]}, std::move(columns)});
}

void RowPanels::pack(const Description& description, const RowWeights& weights,
                     const RowKernels& kernels) {
  const int depth = weights.in_channels / weights.groups;
  const int width = weights.out_channels / weights.groups;
  int64_t elements = 0;
  int64_t shifts = 0;
  for (const Plan& plan : plans_) {
    RowPanel panel{};
    const auto [least, most] = std::minmax_element(
        plan.columns.begin(), plan.columns.end(),
        [](const RowColumn& a, const RowColumn& b) { return a.channel < b.channel; });
    panel.first_block = least->channel / width * depth / kRowChannels;
    panel.blocks = ((most->channel / width + 1) * depth - 1) / kRowChannels + 1 - panel.first_block;
    const int count = static_cast<int>(plan.columns.size());
    panel.tiles = (count + kTile - 1) / kTile;
    panel.columns = count == 32 ? ~0u : (1u << count) - 1;
    int64_t slots = 1;
    for (const RowAxis* axis : plan.axes) slots = multiplied(slots, axis->slots);
    const int64_t mine = multiplied(slots, int64_t{panel.blocks} * panel.tiles * kTileElements);
    description.check_packed(mine, weights.count());
    elements += mine;
    description.check_packed(elements, weights.count());
    panel.bytes = 2 * mine;
    shifts += panel.tiles * kTile;
    panels_.push_back(panel);
  }
  weights_ = Buffer<uint16_t>(elements);
  shifts_ = Buffer<float>(shifts);
  std::fill(shifts_.data(), shifts_.data() + shifts, 0.0f);
  uint16_t* to = weights_.data();
  float* shift = shifts_.data();
  for (size_t i = 0; i < plans_.size(); ++i) {
    const Plan& plan = plans_[i];
    RowPanel& panel = panels_[i];
    panel.weights = to;
    panel.shift = shift;
    for (size_t column = 0; weights.shift && column < plan.columns.size(); ++column) {
      shift[column] = weights.shift[plan.columns[column].channel];
    }
    shift += panel.tiles * kTile;
    Stage stage(weights, plan.columns);
    Axes slots;
    for (slots[0] = 0; slots[0] < plan.axes[0]->slots; ++slots[0]) {
      for (slots[1] = 0; slots[1] < plan.axes[1]->slots; ++slots[1]) {
        for (slots[2] = 0; slots[2] < plan.axes[2]->slots; ++slots[2]) {
          for (int block = 0; block < panel.blocks; ++block) {
            stage.fill(plan.axes, slots, panel.first_block + block);
            for (int tile = 0; tile < panel.tiles; ++tile, to += kTileElements) {
              kernels.pack(stage.data() + tile * kTile, kRowChannels, to);
            }
          }
        }
      }
    }
  }
  plans_.clear();
}

}  // namespace gk
