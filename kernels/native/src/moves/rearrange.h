// kinds "concat", "permute", "slice", "pad", "upsample" and "constant".

#pragma once

#include "moves/move.h"

namespace gk {

class Concat final : public Move {
 public:
  Concat(Description& description, const Target& target);
};

class Permute final : public Move {
 public:
  Permute(Description& description, const Target& target);
};

class Slice final : public Move {
 public:
  Slice(Description& description, const Target& target);
};

class Pad final : public Move {
 public:
  Pad(Description& description, const Target& target);
};

class Upsample final : public Move {
 public:
  Upsample(Description& description, const Target& target);
};

class Constant final : public Move {
 public:
  Constant(Description& description, const Target& target);
};

}  // namespace gk
