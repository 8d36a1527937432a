// Elements moved without arithmetic: a list of runs, made once.

#pragma once

#include "forms.h"
#include "memory.h"
#include "shape.h"

namespace gk {

class Move : public Operation {
 public:
  static constexpr int64_t kNowhere = -1;

  void run(const Work& work) const override;
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  size_t weight_bytes() const override;

 protected:
  // Checks the number of inputs and the forms and, where `banded`, reads `rows`.
  Move(Description& description, const Target& target, int inputs, bool banded);
  // A shape with its channels counted in units: blocks of 32 in bfloat16.
  Sizes in_units(Sizes shape) const;
  // Appends units of the output, as `count`, `from`, `step` and `source` of a run say; to the last run
  // where they follow that.
  void append(const Run& run);
  // Appends as many units as the tables' product: axis by axis, where in the source each index of
  // the output is; kNowhere is the table's unit of the same index along the last axis.
  void append_axes(const Description& description, const std::vector<Sizes>& tables);
  // Units of the model: [count, channels], of which the last may be padded.
  void set_table(const float* numbers, int64_t count, int64_t channels);

  const MoveKernels& kernels_;
  const gk_value output_;
  const int rows_;

 private:
  // Of one image: a float32, or a block of 32 bfloat16.
  int64_t unit_bytes() const { return is_bfloat16(output_) ? 64 : 4; }

  std::vector<int64_t> inputs_;  // bytes of an image of each input
  std::vector<Run> runs_;
  int64_t units_ = 0;  // of the output, so far
  Buffer<float> floats_;
  Buffer<uint16_t> halves_;
};

}  // namespace gk
