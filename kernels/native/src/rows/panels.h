// Weights and shifts of products, packed once.

#pragma once

#include <cstdint>
#include <vector>

#include "description.h"
#include "memory.h"
#include "rows/kernels.h"
#include "rows/plan.h"

namespace gk {

struct RowWeights {
  Axes kernel;
  int in_channels;
  int out_channels;
  int groups;
  const float* weight;  // [*kernel, in / groups, out]
  const float* shift;   // [out], or null

  int64_t count() const {
    return int64_t{kernel[0]} * kernel[1] * kernel[2] * (in_channels / groups) * out_channels;
  }
};

// A column of a product: which output of a group of sites, and which channel of it.
struct RowColumn {
  Axes offsets;
  int channel;
};

class RowPanels {
 public:
  // Plans a panel of up to 32 columns; axes and columns are read by pack().
  void add(const RowAxis* const (&axes)[3], std::vector<RowColumn> columns);
  void pack(const Description& description, const RowWeights& weights, const RowKernels& kernels);

  const RowPanel& operator[](size_t i) const { return panels_[i]; }
  int size() const { return static_cast<int>(panels_.size()); }
  size_t bytes() const { return weights_.bytes() + shifts_.bytes(); }

 private:
  struct Plan {
    const RowAxis* axes[3];
    std::vector<RowColumn> columns;
  };

  std::vector<Plan> plans_;
  std::vector<RowPanel> panels_;
  Buffer<uint16_t> weights_;
  Buffer<float> shifts_;
};

}  // namespace gk
