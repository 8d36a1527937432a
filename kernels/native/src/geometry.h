// Where inputs, taps and outputs of a convolution meet; the C++ form of kernels/geometry.py.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "limits.h"

namespace gk {

using Axes = std::array<int, 3>;

// One tap of an output position along an axis, and the input position it reads.
struct Meeting {
  int tap;
  int input;
};

// Three axes, outermost first; a convolution of lower rank has leading axes of size 1.
struct Geometry {
  bool transposed = false;
  int rank = 0;
  Axes input{1, 1, 1};
  Axes output{1, 1, 1};
  Axes kernel{1, 1, 1};
  Axes stride{1, 1, 1};
  Axes padding{0, 0, 0};
  Axes dilation{1, 1, 1};

  int positions_in() const { return input[0] * input[1] * input[2]; }
  int positions_out() const { return output[0] * output[1] * output[2]; }
  int taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  // Floats of [*kernel, depth, out].
  int64_t weights(int depth, int out) const {
    return multiplied(int64_t{depth} * out, taps());
  }
  // The outermost axis that the convolution really has.
  int outermost() const { return rank == 0 ? 2 : 3 - rank; }
  // Taps and inputs that meet one output position along an axis, taps rising.
  std::vector<Meeting> meetings(int axis, int position) const;
};

}  // namespace gk
