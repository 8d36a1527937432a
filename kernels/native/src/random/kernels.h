// Random numbers of samples: a pure function of (seed, sample, element, stream).

#pragma once

#include <stdint.h>

#include "isa/sets.h"

namespace gk {

struct RandomCall {
  uint64_t seed;
  uint64_t start;
  int64_t samples;
  int64_t size;  // elements of a sample
  uint32_t stream;
  double tail;    // of truncated normals: the probability below -bound
  float bound;    // of truncated normals
  void* numbers;  // [samples][size]: uint32 words, else float32
};

struct RandomKernels {
  void (*words)(const RandomCall& call);
  void (*uniforms)(const RandomCall& call);
  void (*normals)(const RandomCall& call);
  void (*truncated_normals)(const RandomCall& call);
};

GK_DECLARE(RandomKernels, random);

}  // namespace gk
