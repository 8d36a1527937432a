// What can be done element by element.

#pragma once

namespace gk {

// The functions of `elementwise`, in the order of FUNCTIONS in network.py; the first are those of
// gk::Activation. Then what combines two or three operands, and ends in an activation.
enum Operator : int {
  kNoFunction,
  kRelu,
  kLeakyRelu,
  kTanh,
  kSigmoid,
  kElu,
  kCelu,
  kSelu,
  kSoftplus,
  kSoftsign,
  kMish,
  kSilu,
  kGelu,
  kGeluTanh,
  kHardSigmoid,
  kHardSwish,
  kThresholdedRelu,
  kClip,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kAbs,
  kNeg,
  kErf,
  kSin,
  kCos,
  kPower,
  kFloor,
  kCeil,
  kRound,
  kSign,
  kFunctionCount,
  kAdd = kFunctionCount,
  kSub,
  kMul,
  kDiv,
  kMax,
  kMin,
  kAffine,  // a * b + c
  kPRelu,   // a, or a * b below zero
  kOperatorCount,
};

// Operands of an operator.
constexpr int operands_of(int op) { return op < kFunctionCount ? 1 : op == kAffine ? 3 : 2; }

}  // namespace gk
