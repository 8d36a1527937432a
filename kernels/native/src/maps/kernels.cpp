#include "maps/kernels.h"

#include "isa/bfloat16.h"
#include "maps/evaluate.h"

namespace gk {
namespace {

// One run of the innermost axis. Whole vectors and the rest of the run take the same path, so that
// the bits of an element do not depend on where it lies.
template <Operator op>
GK_INLINE void map_run(const Step& step, int64_t size, const int64_t* strides, float* out,
                       const float* const* from) {
  constexpr int kOperands = operands_of(op);
  for (int64_t i = 0; i < size; i += kVector) {
    const int count = size - i < kVector ? static_cast<int>(size - i) : kVector;
    Vector a = {}, b = {}, c = {};
    a = load_strided(from[0] + i * strides[0], strides[0], count);
    if (kOperands > 1) b = load_strided(from[1] + i * strides[1], strides[1], count);
    if (kOperands > 2) c = load_strided(from[2] + i * strides[2], strides[2], count);
    store_strided(out + i, 1, evaluate<op>(step, a, b, c), count);
  }
}

template <Operator op>
void map(const Step& step, const Loop& loop, float* out, const float* const* operands) {
  constexpr int kOperands = operands_of(op);
  const int inner = loop.rank - 1;
  int64_t strides[kOperands];
  const float* from[kOperands];
  for (int k = 0; k < kOperands; ++k) {
    strides[k] = loop.stride[1 + k][inner];
    from[k] = operands[k];
  }
  int64_t index[kMostAxes] = {};
  for (int axis = 0; axis < loop.rank; ++axis) {
    if (loop.size[axis] == 0) return;
  }
  for (;;) {
    map_run<op>(step, loop.size[inner], strides, out, from);
    int axis = inner - 1;
    for (; axis >= 0; --axis) {
      // One step along this axis, or back to its start.
      const int64_t forward = ++index[axis] < loop.size[axis] ? 1 : 1 - loop.size[axis];
      out += forward * loop.stride[0][axis];
      for (int k = 0; k < kOperands; ++k) from[k] += forward * loop.stride[1 + k][axis];
      if (forward == 1) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

GK_INLINE Vector load_operand(const BlockOperand& operand, int64_t place, int64_t channel) {
  return operand.value ? load_bfloat16(operand.value + place)
                       : load_unaligned(operand.numbers + channel);
}

template <Operator op>
void map_blocks(const Step& step, const Blocks& at, uint16_t* out, const BlockOperand* operands) {
  constexpr int kOperands = operands_of(op);
  Integers lane;
  for (int i = 0; i < kVector; ++i) lane[i] = i;
  for (int64_t item = at.begin * at.blocks; item < at.end * at.blocks; ++item) {
    const int64_t first = item % at.blocks * 32;
    const int left = at.channels - first < 32 ? static_cast<int>(at.channels - first) : 32;
    for (int image = 0; image < at.images; ++image) {
      for (int i = 0; i < 32; i += kVector) {
        const int64_t place = (item * at.capacity + image) * 32 + i;
        Vector a = {}, b = {}, c = {};
        a = load_operand(operands[0], place, first + i);
        if (kOperands > 1) b = load_operand(operands[1], place, first + i);
        if (kOperands > 2) c = load_operand(operands[2], place, first + i);
        const Vector value = evaluate<op>(step, a, b, c);
        // Absent channels stay zero.
        store_bfloat16(out + place, select(lane + i < left, value, Vector{}));
      }
    }
  }
}

// The kernels of the operator that is asked for, from `op` on.
template <int op = 0>
void choose_map(const Step& step, const Loop& loop, float* out, const float* const* operands) {
  if constexpr (op < kOperatorCount) {
    if (step.op == op) return map<static_cast<Operator>(op)>(step, loop, out, operands);
    choose_map<op + 1>(step, loop, out, operands);
  }
}

template <int op = 0>
void choose_map_blocks(const Step& step, const Blocks& blocks, uint16_t* out,
                       const BlockOperand* operands) {
  if constexpr (op < kOperatorCount) {
    if (step.op == op) {
      return map_blocks<static_cast<Operator>(op)>(step, blocks, out, operands);
    }
    choose_map_blocks<op + 1>(step, blocks, out, operands);
  }
}

}  // namespace

extern const MapKernels GK_TABLE(maps) = {choose_map<>, choose_map_blocks<>};

}  // namespace gk
