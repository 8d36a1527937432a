// kind "convert": the same numbers in another form or place.

#pragma once

#include "registry.h"

namespace gk {

class Convert final : public Operation {
 public:
  Convert(Description& description, const Target& target);
  void run(const Work& work) const override;
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override { return kConversionScratch; }

 private:
  const MoveKernels& kernels_;
  Conversion plan_;
  int rows_;
};

}  // namespace gk
