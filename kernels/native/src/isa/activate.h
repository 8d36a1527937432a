// The activations that end a fused operation, on vectors. NaN passes through all of them.
// For FAMILY/kernels.cpp only.

#pragma once

#include "isa/activation.h"
#include "isa/exponential.h"
#include "isa/vector.h"

namespace gk {
namespace {

// tanh(x) as a ratio of polynomials on [-7.9, 7.9], beyond which float32 has +-1 (the minimax fit
// of Eigen's fast tanh); within 3 units in the last place.
GK_INLINE Vector tanh_of(Vector x) {
  x = at_least(at_most(x, broadcast(7.90531110763549805f)), broadcast(-7.90531110763549805f));
  const Vector square = x * x;
  Vector top = broadcast(-2.76076847742355e-16f);
  top = multiply_add(top, square, broadcast(2.00018790482477e-13f));
  top = multiply_add(top, square, broadcast(-8.60467152213735e-11f));
  top = multiply_add(top, square, broadcast(5.12229709037114e-08f));
  top = multiply_add(top, square, broadcast(1.48572235717979e-05f));
  top = multiply_add(top, square, broadcast(6.37261928875436e-04f));
  top = multiply_add(top, square, broadcast(4.89352455891786e-03f));
  Vector bottom = broadcast(1.19825839466702e-06f);
  bottom = multiply_add(bottom, square, broadcast(1.18534705686654e-04f));
  bottom = multiply_add(bottom, square, broadcast(2.26843463243900e-03f));
  bottom = multiply_add(bottom, square, broadcast(4.89352518554385e-03f));
  return x * top / bottom;
}

GK_INLINE Vector activate(Activation activation, float alpha, Vector x) {
  const Vector zero = {};
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return at_least(x, zero);
    case Activation::kLeakyRelu:
      return select(x < zero, x * broadcast(alpha), x);
    case Activation::kTanh:
      return tanh_of(x);
    case Activation::kSigmoid:
      return sigmoid_of(x);
  }
  __builtin_unreachable();
}

}  // namespace
}  // namespace gk
