// Operations by kind. A family lists its kinds in FAMILY/kinds.cpp.

#pragma once

#include <memory>

#include "description.h"
#include "isa/kernels.h"
#include "operation.h"

namespace gk {

// What an operation is made for: the kernels it may call, and images of a micro-batch.
struct Target {
  const Kernels& kernels;
  int capacity;
};

using Factory = std::unique_ptr<Operation> (*)(Description&, const Target&);

struct Kind {
  const char* name;
  Factory make;
};

struct Kinds {
  const Kind* kinds;
  int count;
};

Kinds moves_kinds();
Kinds maps_kinds();
Kinds reductions_kinds();
Kinds recurrent_kinds();
Kinds lanes_kinds();
Kinds rows_kinds();
Kinds positions_kinds();

// The factory of a class whose constructor takes (Description&, const Target&).
template <class T>
std::unique_ptr<Operation> make(Description& description, const Target& target) {
  return std::make_unique<T>(description, target);
}

// Makes an operation of the description's kind. Throws std::invalid_argument.
std::unique_ptr<Operation> make_operation(const gk_operation& operation, const Target& target);

}  // namespace gk
