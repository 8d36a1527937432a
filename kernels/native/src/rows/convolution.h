// kind "rows_convolution": a convolution or linear layer, GK_ROWS -> GK_ROWS.

#pragma once

#include <vector>

#include "registry.h"
#include "rows/layer.h"
#include "rows/panels.h"
#include "rows/plan.h"

namespace gk {

class RowsConvolution final : public Operation {
 public:
  RowsConvolution(Description& description, const Target& target);

  void run(const Work& work) const override;
  int rows() const override { return layer_.geometry.output[layer_.geometry.outermost()]; }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override { return kRowScratch * sizeof(float); }
  size_t weight_bytes() const override { return panels_.bytes(); }

 private:
  void check_panels(const Description& description) const;

  RowLayer layer_;
  std::vector<RowAxis> phases_[3];
  RowPanels panels_;  // [phase of each axis][32 channels of the output]
};

}  // namespace gk
