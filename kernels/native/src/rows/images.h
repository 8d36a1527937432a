// kind "rows_images": a convolution or linear layer, GK_ROWS -> images of the caller. Made for the
// few channels of a last layer: neighbouring outputs are columns of one product.

#pragma once

#include <vector>

#include "rows/layer.h"
#include "rows/panels.h"
#include "rows/plan.h"

namespace gk {

class RowsImages final : public Operation {
 public:
  RowsImages(Description& description, const Target& target);

  void run(const Work& work) const override;
  int rows() const override { return layer_.geometry.output[layer_.geometry.outermost()]; }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override { return scratch_bytes_; }
  size_t weight_bytes() const override { return panels_.bytes(); }

 private:
  // Outputs that are staged together: of one site of the first two axes, and of some of the last.
  struct Piece {
    RowSites axes[3];
    int begin[3];  // those outputs of an axis that are wanted
    int end[3];
  };

  void choose_form(const Description& description, double low, double high);
  void plan_columns();
  void plan_stage(int capacity);
  void run_straight(const Work& work, const Piece& piece) const;
  void compute(const Work& work, const Piece& piece, int first, int last) const;
  void mark_wanted(const Piece& piece, int panel, uint32_t* wanted) const;
  void store(const Work& work, const Piece& piece) const;
  std::byte* stage(const Work& work) const;

  RowLayer layer_;
  bool bytes_ = false;   // uint8, else float32
  bool planes_ = false;  // [channel][position], else the other way round
  // One position, as linear layers have: panels go to the caller without a stage.
  bool straight_ = false;
  float scale_ = 1.0f;
  float offset_ = 0.0f;
  RowAxis axes_[3];
  std::vector<std::vector<RowColumn>> columns_;  // of each panel
  std::vector<std::vector<RowRun>> runs_;
  RowPanels panels_;
  // The stage: [image][outputs of a site on axes 0 and 1][channel, if planes][outputs of axis 2],
  // in elements from one to the next.
  int chunk_ = 1;  // sites of axis 2
  int64_t site_ = 0;
  int64_t plane_ = 0;
  int64_t row_ = 0;
  int64_t image_ = 0;
  size_t scratch_bytes_ = 0;
};

}  // namespace gk
