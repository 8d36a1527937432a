// Recurrent layers: LSTM and GRU over a sequence.

#pragma once

#include "isa/sets.h"

namespace gk {

struct RecurrentKernels {};

GK_DECLARE(RecurrentKernels, recurrent);

}  // namespace gk
