// Numbers of up to kPanelImages images from any form into a panel [image][number].
// For moves/kernels.cpp only.

#pragma once

#include "../include/generator_kernels.h"
#include "isa/bfloat16.h"
#include "isa/transpose.h"
#include "moves/kernels.h"

namespace gk {
namespace {

// Positions and channels of a panel: all channels of some positions, or some channels of one.
struct Extent {
  int64_t position;
  int positions;
  int64_t channel;
  int channels;
  int first_image;
  int images;

  int numbers() const { return positions * channels; }
};

GK_INLINE int64_t blocks_of(int64_t channels) { return (channels + 31) / 32; }

// `count` vectors of images, `stride` floats apart, to numbers of a panel.
void gather_lanes(const float* from, int64_t stride, int count, int images, float* panel) {
  for (int image = 0; image < images; image += kVector) {
    for (int number = 0; number < count; number += kVector) {
      Vector rows[kVector];
      GK_UNROLL
      for (int i = 0; i < kVector; ++i) {
        const int row = number + i < count ? number + i : count - 1;
        rows[i] = load_unaligned(from + row * stride + image);
      }
      transpose(rows);
      GK_UNROLL
      for (int i = 0; i < kVector; ++i) {
        store_unaligned(panel + (image + i) * kPanelStride + number, rows[i]);
      }
    }
  }
}

void decode_lanes(const Conversion& plan, const Extent& at, const float* from, float* panel) {
  const int64_t first = at.position * plan.channels + at.channel;
  gather_lanes(from + first * plan.capacity + at.first_image, plan.capacity, at.numbers(),
               at.images, panel);
}

// The panel in the order [channel][position].
void decode_lanes_planar(const Conversion& plan, const Extent& at, const float* from,
                         float* panel) {
  for (int channel = 0; channel < at.channels; ++channel) {
    const int64_t first = at.position * plan.channels + at.channel + channel;
    gather_lanes(from + first * plan.capacity + at.first_image, plan.channels * plan.capacity,
                 at.positions, at.images, panel + channel * at.positions);
  }
}

void decode_blocks(const Conversion& plan, const Extent& at, const uint16_t* from, float* panel) {
  const bool rows = plan.from_form == GK_ROWS;
  const int64_t blocks = blocks_of(plan.channels);
  const int64_t image_stride = rows ? 32 : plan.positions * blocks * 32;
  const int64_t block_stride = rows ? int64_t{32} * plan.capacity : 32;
  for (int image = 0; image < at.images; ++image) {
    const uint16_t* source = from + (at.first_image + image) * image_stride;
    for (int position = 0; position < at.positions; ++position) {
      float* to = panel + image * kPanelStride + position * at.channels;
      for (int channel = 0; channel < at.channels; channel += 32) {
        const int64_t block = (at.position + position) * blocks + (at.channel + channel) / 32;
        for (int i = 0; i < 32; i += kVector) {
          store_unaligned(to + channel + i, load_bfloat16(source + block * block_stride + i));
        }
      }
    }
  }
}

void decode_plain(const Conversion& plan, const Extent& at, const float* from, float* panel) {
  const int64_t first = at.position * plan.channels + at.channel;
  for (int image = 0; image < at.images; ++image) {
    const int64_t start = (at.first_image + image) * plan.positions * plan.channels + first;
    __builtin_memcpy(panel + image * kPanelStride, from + start,
                     sizeof(float) * static_cast<size_t>(at.numbers()));
  }
}

void decode_planes(const Conversion& plan, const Extent& at, const float* from, float* panel) {
  for (int image = 0; image < at.images; ++image) {
    const int64_t start = (at.first_image + image) * plan.positions * plan.channels;
    for (int channel = 0; channel < at.channels; ++channel) {
      const float* plane = from + start + (at.channel + channel) * plan.positions + at.position;
      float* to = panel + image * kPanelStride + channel;
      for (int i = 0; i < at.positions; ++i) to[i * at.channels] = plane[i];
    }
  }
}

// Whether the panel holds channels one after the other, each with its positions.
GK_INLINE bool planar(const Conversion& plan) {
  return plan.from_form == GK_LANES && plan.to_form == GK_PLANES;
}

void decode(const Conversion& plan, const Extent& at, const void* from, float* panel) {
  const auto* floats = static_cast<const float*>(from);
  switch (plan.from_form) {
    case GK_LANES:
      if (planar(plan)) return decode_lanes_planar(plan, at, floats, panel);
      return decode_lanes(plan, at, floats, panel);
    case GK_ROWS:
    case GK_PLAIN16:
      return decode_blocks(plan, at, static_cast<const uint16_t*>(from), panel);
    case GK_PLAIN:
      return decode_plain(plan, at, floats, panel);
    default:
      return decode_planes(plan, at, floats, panel);
  }
}

}  // namespace
}  // namespace gk
