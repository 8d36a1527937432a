// One operator on vectors. The formulas are those of kernels/reference/activation.py and
// arithmetic.py; NaN goes where it goes there. For maps/kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "maps/kernels.h"

namespace gk {
namespace {

GK_INLINE Vector elu_of(Vector x, float alpha) {
  return select(x < Vector{}, expm1_of_negative(x) * alpha, x);
}

// x tanh(softplus(x)) with e = exp(x): the tangent is e (e + 2) / (e (e + 2) + 2), and 1 where e is
// large.
GK_INLINE Vector mish_of(Vector x) {
  const Vector e = exp_of(at_most(x, broadcast(20.0f)));
  const Vector product = e * (e + 2.0f);
  return x * (product / (product + 2.0f));
}

GK_INLINE Vector gelu_tanh_of(Vector x) {
  // 1 + tanh(z) is 2 sigmoid(2 z), which is exact where it is small.
  const Vector z = 0.797884560802865356f * multiply_add(x * x * x, broadcast(0.044715f), x);
  return x * sigmoid_of(2.0f * z);
}

GK_INLINE Vector clip_of(Vector x, float low, float high) {
  return at_most(at_least(x, broadcast(low)), broadcast(high));
}

// C's own functions, a number at a time.
template <Operator op>
GK_INLINE Vector one_by_one(Vector x, float alpha) {
  for (int i = 0; i < kVector; ++i) {
    if (op == kSin) x[i] = __builtin_sinf(x[i]);
    if (op == kCos) x[i] = __builtin_cosf(x[i]);
    if (op == kPower) x[i] = __builtin_powf(x[i], alpha);
  }
  return x;
}

template <Operator op>
GK_INLINE Vector function_of(Vector x, float alpha, float beta) {
  const Vector zero = {};
  switch (op) {
    case kElu:
      return elu_of(x, alpha);
    case kCelu:
      return select(x < zero, expm1_of_negative(at_most(x / alpha, zero)) * alpha, x);
    case kSelu:
      return elu_of(x, alpha) * beta;
    case kSoftplus:
      return softplus_of(x);
    case kSoftsign:
      return x / (1.0f + magnitude(x));
    case kMish:
      return mish_of(x);
    case kSilu:
      return x * sigmoid_of(x);
    case kGelu:
      return 0.5f * x * (1.0f + erf_of(x * 0.707106781186547524f));
    case kGeluTanh:
      return gelu_tanh_of(x);
    case kHardSigmoid:
      return clip_of(multiply_add(x, broadcast(alpha), broadcast(beta)), 0.0f, 1.0f);
    case kHardSwish:
      return x * clip_of(multiply_add(x, broadcast(1.0f / 6.0f), broadcast(0.5f)), 0.0f, 1.0f);
    case kThresholdedRelu:
      return select(x <= broadcast(alpha), zero, x);
    case kClip:
      return clip_of(x, alpha, beta);
    case kExp:
      return exp_of(x);
    case kLog:
      return log_of(x);
    case kSqrt:
      return square_root(x);
    case kReciprocal:
      return 1.0f / x;
    case kAbs:
      return magnitude(x);
    case kNeg:
      return -x;
    case kErf:
      return erf_of(x);
    case kFloor: {
      const Vector near = round_of(x);
      return select(near > x, near - 1.0f, near);
    }
    case kCeil: {
      const Vector near = round_of(x);
      return select(near < x, near + 1.0f, near);
    }
    case kRound:
      return round_of(x);
    case kSign:
      return select(x > zero, broadcast(1.0f), select(x < zero, broadcast(-1.0f), x));
    default:
      return one_by_one<op>(x, alpha);
  }
}

template <Operator op>
GK_INLINE Vector combine(Vector a, Vector b, Vector c) {
  switch (op) {
    case kAdd:
      return a + b;
    case kSub:
      return a - b;
    case kMul:
      return a * b;
    case kDiv:
      return a / b;
    case kMax:
      return larger(a, b);
    case kMin:
      return smaller(a, b);
    case kAffine:
      return multiply_add(a, b, c);
    default:
      return select(a < Vector{}, a * b, a);
  }
}

template <Operator op>
GK_INLINE Vector evaluate(const Step& step, Vector a, Vector b, Vector c) {
  if (op <= kSigmoid) return activate(static_cast<Activation>(op), step.alpha, a);
  if (op < kFunctionCount) return function_of<op>(a, step.alpha, step.beta);
  return activate(step.activation, step.alpha, combine<op>(a, b, c));
}

}  // namespace
}  // namespace gk
