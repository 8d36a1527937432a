// From the sums of a row to the output: activation, conversion, place.
// For positions/kernels.cpp only.

#pragma once

#include "isa/activate.h"
#include "isa/finite.h"
#include "isa/round_bfloat16.h"
#include "isa/vector.h"
#include "positions/kernels.h"

namespace gk {
namespace {

// Activates `count` floats, a multiple of the lanes, in place.
void activate_all(const PositionLayer& layer, float* sums, int count) {
  if (layer.activation == Activation::kNone) return;
  for (int i = 0; i < count; i += kVector) {
    store(sums + i, activate(layer.activation, layer.alpha, load(sums + i)));
  }
}

// A few bytes: a call of memcpy takes longer.
GK_INLINE void copy_levels(uint8_t* to, const uint8_t* from, int count) {
  if (count == 1) {
    *to = *from;
  } else if (count == 3) {
    __builtin_memcpy(to, from, 3);
  } else {
    __builtin_memcpy(to, from, count);
  }
}

// Most are some whole vectors: a call of memcpy takes longer.
GK_INLINE void copy_floats(float* to, const float* from, int count) {
  int i = 0;
  for (; i + kVector <= count; i += kVector) store_unaligned(to + i, load_unaligned(from + i));
  for (; i < count; ++i) to[i] = from[i];
}

// Stores `count` channels from `channel` on of one output position. `levels` are those of `values`,
// for images only.
GK_INLINE void store_channels(const PositionLayer& layer, void* image, int64_t position,
                              int channel, int count, const float* values,
                              const uint8_t* levels) {
  const int channels = layer.groups * layer.out_channels;
  switch (layer.store) {
    case PositionStore::kFloats: {
      float* to = static_cast<float*>(image) + position * channels + channel;
      copy_floats(to, values, count);
      return;
    }
    case PositionStore::kBfloats: {
      const int padded = (channels + 31) / 32 * 32;
      uint16_t* to = static_cast<uint16_t*>(image) + position * padded + channel;
      for (int c = 0; c < count; ++c) to[c] = to_bfloat16(values[c]);
      if (channel + count == channels) {
        for (int c = count; c < padded - channel; ++c) to[c] = 0;
      }
      return;
    }
    case PositionStore::kPlanes: {
      float* to = static_cast<float*>(image) + channel * layer.positions + position;
      for (int c = 0; c < count; ++c) to[c * layer.positions] = values[c];
      return;
    }
    case PositionStore::kImages: {
      uint8_t* to = static_cast<uint8_t*>(image) + position * channels + channel;
      copy_levels(to, levels, count);
      return;
    }
  }
}

// Stores `count` columns of a group's row from a phase's channel on. With `doubtful` it is told
// which of them are not finite and inside the map.
GK_INLINE void store_row(const PositionLayer& layer, void* image, const int32_t* outputs, int group,
                         int phase, int channel, int count, const float* values,
                         const uint8_t* levels, bool doubtful, uint8_t* finite) {
  const bool beside = layer.groups == 1 && (layer.store == PositionStore::kFloats ||
                                            layer.store == PositionStore::kImages);
  for (int at = 0; at < count; ++phase, channel = 0) {
    const int left = layer.out_channels - channel;
    int run = count - at < left ? count - at : left;
    const int32_t output = outputs[phase];
    if (output >= 0) {
      // Phases of the last axis lie behind each other.
      for (; beside && at + run < count && outputs[phase + 1] == outputs[phase] + 1; ++phase) {
        const int more = count - at - run;
        run += more < layer.out_channels ? more : layer.out_channels;
      }
      if (doubtful && !all_finite(values + at, run)) mark_not_finite(finite);
      store_channels(layer, image, output, group * layer.out_channels + channel, run, values + at,
                     levels + at);
    }
    at += run;
  }
}

}  // namespace
}  // namespace gk
