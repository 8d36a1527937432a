// An operator on values and numbers of the model, element by element, in any form of the arena.

#pragma once

#include "forms.h"
#include "maps/kernels.h"
#include "memory.h"
#include "shape.h"

namespace gk {

// A value (an input, or the output to add to) or numbers of the model; strides in elements.
struct Operand {
  static constexpr int kNumbers = -1;
  static constexpr int kOutput = -2;

  int input;
  Sizes strides;
  Buffer<float> numbers;
};

// Numbers in memory of their own.
Buffer<float> keep(const float* numbers, int64_t count);

class Map : public Operation {
 public:
  void run(const Work& work) const override;
  int rows() const override { return rows_; }
  bool divisible() const override { return true; }
  size_t weight_bytes() const override;

 protected:
  struct Pass {
    Step step;
    std::vector<Operand> operands;
  };

  // Checks the number of inputs and the forms, and reads `rows`.
  Map(Description& description, const Target& target, int inputs, Forms forms);
  // The shape of the output; where it is cut into rows, they are its first axis.
  void set_shape(const Description& description, Sizes shape);
  // An input that has the shape of the output.
  Operand whole(int input) const;
  // Numbers that repeat to the shape; a rank of the shape's, and null for none.
  Operand numbers(const Description& description, const float* data, const Sizes& sizes) const;
  void add_pass(Step step, std::vector<Operand> operands);

  const MapKernels& kernels_;
  const gk_value output_;
  const int rows_;
  Sizes shape_;

 private:
  void run_floats(const Pass& pass, const Work& work) const;
  void run_blocks(const Pass& pass, const Work& work) const;

  std::vector<Pass> passes_;
};

}  // namespace gk
