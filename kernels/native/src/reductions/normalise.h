// kinds "instance_norm" and "layer_norm".

#pragma once

#include "reductions/lanes.h"

namespace gk {

class Normalise : public Operation {
 public:
  void run(const Work& work) const override;
  bool divisible() const override { return true; }
  size_t weight_bytes() const override;

 protected:
  Normalise(Description& description, const Target& target);
  // Reads scale and shift.
  void read_numbers(Description& description);

  const ReductionKernels& kernels_;
  const gk_value value_;
  const bool lanes_;
  Norm norm_{};
  bool rows_ = false;  // long rows of plain images
  Sizes starts_;
  Sizes places_;
  int64_t inner_ = 1;   // lanes beside images, and how far apart they are
  int64_t stride_ = 1;

 private:
  std::vector<float> scale_;
  std::vector<float> shift_;
};

class InstanceNorm final : public Normalise {
 public:
  InstanceNorm(Description& description, const Target& target);
};

class LayerNorm final : public Normalise {
 public:
  LayerNorm(Description& description, const Target& target);
};

}  // namespace gk
