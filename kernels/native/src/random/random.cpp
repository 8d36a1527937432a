#include "random/random.h"

#include <cmath>
#include <stdexcept>
#include <string>

#include "../include/generator_kernels.h"
#include "processor.h"

namespace gk {

void fill_random(int kind, RandomCall call, double truncation, const char* instruction_set) {
  if (call.samples < 0 || call.size < 0) throw std::invalid_argument("negative sizes");
  const RandomKernels& kernels = choose_kernels(instruction_set).random;
  switch (kind) {
    case GK_WORDS:
      return kernels.words(call);
    case GK_UNIFORMS:
      return kernels.uniforms(call);
    case GK_NORMALS:
      return kernels.normals(call);
    case GK_TRUNCATED_NORMALS:
      call.tail = 0.5 * std::erfc(truncation / std::sqrt(2.0));
      call.bound = static_cast<float>(truncation);
      return kernels.truncated_normals(call);
    default:
      throw std::invalid_argument("no random numbers of kind " + std::to_string(kind));
  }
}

}  // namespace gk
