// What a direct convolution is made of: classes of outputs, and their weights.

#include <algorithm>

#include "lanes/blocks.h"
#include "lanes/direct.h"

namespace gk::lanes {
namespace {

// Fewer columns than this leave registers idle: neighbours that read the same inputs join them.
constexpr int kFewColumns = 12;
constexpr int kManyColumns = 32;

int members_wanted(int columns) {
  return columns < kFewColumns ? std::max(1, kManyColumns / columns) : 1;
}

}  // namespace

Direct::Direct(const Description& description, const Layer& layer, const float* shift,
               const LaneKernels& kernels, const Phases& others)
    : kernels_(kernels),
      layer_(layer),
      depthwise_(layer.groups > 1 && layer.depth() == 1 && layer.width() == 1) {
  for (int axis = 2; axis >= 0; --axis) {
    // Members of a run are of different phases; depthwise products have one column.
    const int wanted = others || depthwise_ ? 1 : members_wanted(layer.width() * most_members_);
    axes_[axis] = find_runs(layer.geometry, axis, wanted);
    int members = 1;
    size_t reads = 1;
    for (const auto& runs : axes_[axis].classes) {
      members = std::max(members, runs[0].members);
      reads = std::max(reads, runs[0].reads.size());
    }
    most_members_ *= members;
    most_terms_ *= static_cast<int>(reads);
  }
  int64_t packed = int64_t{layer.depth()} * layer.out_channels;
  for (const Axis& axis : axes_) {
    int64_t members = 0;
    for (const std::vector<int>& key : axis.keys) members += static_cast<int64_t>(key.size());
    packed = multiplied(packed, members);
  }
  description.check_packed(packed, layer.geometry.weights(layer.depth(), layer.out_channels));
  find_classes(others);
  pack_weights(layer);
  pack_shift(shift);
  layer_.weight = nullptr;
}

void Direct::find_classes(const Phases& others) {
  const Geometry& geometry = layer_.geometry;
  // Without other phases all keys are met: to find them would take long where taps are many.
  panels_.assign(axes_[0].keys.size() * axes_[1].keys.size() * axes_[2].keys.size(),
                 others ? -1 : 0);
  for (const auto& z : axes_[0].classes) {
    for (const auto& y : axes_[1].classes) {
      for (const auto& x : axes_[2].classes) {
        if (others && others(z[0].phase(geometry, 0), y[0].phase(geometry, 1),
                             x[0].phase(geometry, 2))) {
          continue;
        }
        classes_.push_back({&z, &y, &x});
        if (!others) continue;
        for (const Read& a : z[0].reads) {
          for (const Read& b : y[0].reads) {
            for (const Read& c : x[0].reads) panels_[panel_place(a.key, b.key, c.key)] = 0;
          }
        }
      }
    }
  }
}

size_t Direct::panel_place(int z, int y, int x) const {
  return (z * axes_[1].keys.size() + y) * axes_[2].keys.size() + x;
}

const float* Direct::panel(int z, int y, int x, int group) const {
  const int64_t members =
      axes_[0].keys[z].size() * axes_[1].keys[y].size() * axes_[2].keys[x].size();
  return weights_.data() + panels_[panel_place(z, y, x)] +
         group * members * layer_.width() * layer_.depth();
}

void Direct::pack_weights(const Layer& layer) {
  const Axes& kernel = layer.geometry.kernel;
  const int width = layer.width();
  // The taps of the members of each panel, in order of the panels.
  std::vector<std::vector<int>> panels;
  int64_t size = 0;
  for (const auto& z : axes_[0].keys) {
    for (const auto& y : axes_[1].keys) {
      for (const auto& x : axes_[2].keys) {
        int64_t& start = panels_[panels.size()];
        panels.emplace_back();
        if (start < 0) continue;
        start = size;
        for (const int a : z) {
          for (const int b : y) {
            for (const int c : x) panels.back().push_back((a * kernel[1] + b) * kernel[2] + c);
          }
        }
        size += static_cast<int64_t>(panels.back().size()) * layer.depth() * layer.out_channels;
      }
    }
  }
  weights_ = Buffer<float>(size);
  float* to = weights_.data();
  for (const std::vector<int>& taps : panels) {
    const int columns = static_cast<int>(taps.size()) * width;
    const int blocks = block_count(columns, kernels_.widest);
    for (int group = 0; group < layer.groups; ++group) {
      for (int block = 0; block < blocks; ++block) {
        const int first = block_start(block, blocks, columns);
        const int last = block_start(block + 1, blocks, columns);
        for (int k = 0; k < layer.depth(); ++k) {
          for (int column = first; column < last; ++column) {
            *to++ = layer.row(taps[column / width], k, group)[column % width];
          }
        }
      }
    }
  }
}

void Direct::pack_shift(const float* shift) {
  const int width = layer_.width();
  shift_ = Buffer<float>(static_cast<size_t>(layer_.out_channels) * most_members_);
  float* to = shift_.data();
  for (int group = 0; group < layer_.groups; ++group) {
    for (int column = 0; column < width * most_members_; ++column) {
      *to++ = shift ? shift[group * width + column % width] : 0.0f;
    }
  }
}

}  // namespace gk::lanes
