// The activation of a layer on vectors side by side. For kernels.cpp only.

#pragma once

#include "isa/activate.h"

namespace gk {
namespace {

template <Activation kActivation, int kCount>
GK_INLINE void activate_as(float alpha, Vector* values) {
  GK_UNROLL for (int i = 0; i < kCount; ++i) values[i] = activate(kActivation, alpha, values[i]);
}

// One branch, which is always the same for a layer, on all of them.
template <int kCount>
GK_INLINE void activate_all(Activation activation, float alpha, Vector* values) {
  switch (activation) {
    case Activation::kNone:
      return;
    case Activation::kRelu:
      return activate_as<Activation::kRelu, kCount>(alpha, values);
    case Activation::kLeakyRelu:
      return activate_as<Activation::kLeakyRelu, kCount>(alpha, values);
    case Activation::kTanh:
      return activate_as<Activation::kTanh, kCount>(alpha, values);
    case Activation::kSigmoid:
      return activate_as<Activation::kSigmoid, kCount>(alpha, values);
  }
}

}  // namespace
}  // namespace gk
