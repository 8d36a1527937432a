// kind "embedding": rows of a table by label.

#pragma once

#include "forms.h"
#include "memory.h"

namespace gk {

class Embedding final : public Operation {
 public:
  Embedding(Description& description, const Target& target);
  void run(const Work& work) const override;
  bool divisible() const override { return true; }
  size_t weight_bytes() const override { return table_.bytes(); }

 private:
  const MoveKernels& kernels_;
  const bool lanes_;
  Lookup lookup_;
  Buffer<float> table_;
};

}  // namespace gk
