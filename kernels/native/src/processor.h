// What this processor can run.

#pragma once

#include <string>

#include "isa/kernels.h"

namespace gk {

// Names of the instruction sets that run here, best last, separated by blanks.
const std::string& instruction_sets();

// The best kernels up to `most` (null: of all). Throws std::invalid_argument for one unknown here.
const Kernels& choose_kernels(const char* most);

// Prepares the calling thread for a set of kernels, and undoes it when it goes.
class Prepared {
 public:
  explicit Prepared(const Kernels& kernels);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

 private:
  bool tiles_;
};

}  // namespace gk
