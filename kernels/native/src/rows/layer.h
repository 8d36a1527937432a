// What all layers on GK_ROWS share: sizes, channels, activation.

#pragma once

#include "registry.h"
#include "rows/panels.h"

namespace gk {

struct RowLayer {
  Geometry geometry;
  int in_channels;
  int out_channels;
  int groups;
  Activation activation;
  float alpha;
  const RowKernels* kernels;

  // Reads what every convolution kind begins with, and checks the values' sizes. A linear layer
  // becomes a convolution of one tap over all its positions.
  RowLayer(Description& description, const Target& target);

  // Reads the arrays, which must outlive the result.
  RowWeights weights(Description& description) const;
  // A task without axes, panel and scratch.
  RowTask task(const Work& work) const;
};

int blocks_of(int channels);

}  // namespace gk
