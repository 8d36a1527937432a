// Operations whose outputs are made of lists of inputs: "reduce", "pool" and "resample".

#pragma once

#include "reductions/lanes.h"

namespace gk {

class Folding : public Operation {
 public:
  void run(const Work& work) const override;
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  size_t weight_bytes() const override;

 protected:
  Folding(Description& description, const Target& target, bool banded);
  // Once for all outputs, in their order: `inner` lanes of elements `stride` apart in the input.
  void set(FoldFunction function, std::vector<FoldOutput> outputs, Sizes places,
           std::vector<float> weights, int64_t inner, int64_t stride);

  const ReductionKernels& kernels_;
  const gk_value input_;
  const gk_value output_;
  const int rows_;

 private:
  FoldFunction function_ = FoldFunction::kSum;
  std::vector<FoldOutput> outputs_;
  Sizes places_;
  std::vector<float> weights_;
  int64_t inner_ = 1;
  int64_t stride_ = 1;
};

class Reduce final : public Folding {
 public:
  Reduce(Description& description, const Target& target);
};

class Pool final : public Folding {
 public:
  Pool(Description& description, const Target& target);
};

class Resample final : public Folding {
 public:
  Resample(Description& description, const Target& target);
};

}  // namespace gk
