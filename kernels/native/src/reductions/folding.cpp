#include "reductions/folding.h"

#include <utility>

namespace gk {

Folding::Folding(Description& description, const Target& target, bool banded)
    : kernels_(target.kernels.reductions),
      input_(description.input(0)),
      output_(description.output(0)),
      rows_(banded ? read_rows(description, output_.positions) : 1) {
  description.expect_values(1, 1);
  check_forms(description, target, Forms::kFloat32);
}

void Folding::set(FoldFunction function, std::vector<FoldOutput> outputs, Sizes places,
                  std::vector<float> weights, int64_t inner, int64_t stride) {
  function_ = function;
  outputs_ = std::move(outputs);
  places_ = std::move(places);
  weights_ = std::move(weights);
  inner_ = inner;
  stride_ = stride;
}

size_t Folding::weight_bytes() const {
  return outputs_.size() * sizeof(FoldOutput) + places_.size() * sizeof(int64_t) +
         weights_.size() * sizeof(float);
}

void Folding::run(const Work& work) const {
  const auto row = static_cast<int64_t>(outputs_.size()) / rows_;
  kernels_.fold({function_, outputs_.data(), places_.data(), weights_.data()},
                lanes_of(input_, output_, work, inner_, stride_),
                {row * work.begin, row * work.end, work.part, work.parts},
                static_cast<const float*>(work.inputs[0]), static_cast<float*>(work.outputs[0]));
}

}  // namespace gk
