// A panel [image][number] into any form. For moves/kernels.cpp only.

#pragma once

#include "isa/levels.h"
#include "moves/decode.h"

namespace gk {
namespace {

void scatter_lanes(const float* panel, int count, int images, float* to, int64_t stride) {
  for (int image = 0; image < images; image += kVector) {
    for (int number = 0; number < count; number += kVector) {
      Vector rows[kVector];
      GK_UNROLL
      for (int i = 0; i < kVector; ++i) {
        rows[i] = load_unaligned(panel + (image + i) * kPanelStride + number);
      }
      transpose(rows);
      const int left = count - number < kVector ? count - number : kVector;
      for (int i = 0; i < left; ++i) store_unaligned(to + (number + i) * stride + image, rows[i]);
    }
  }
}

void encode_lanes(const Conversion& plan, const Extent& at, const float* panel, float* to) {
  const int64_t first = at.position * plan.channels + at.channel;
  scatter_lanes(panel, at.numbers(), at.images, to + first * plan.capacity + at.first_image,
                plan.capacity);
}

void encode_blocks(const Conversion& plan, const Extent& at, const float* panel, uint16_t* to) {
  const bool rows = plan.to_form == GK_ROWS;
  const int64_t blocks = blocks_of(plan.channels);
  const int64_t image_stride = rows ? 32 : plan.positions * blocks * 32;
  const int64_t block_stride = rows ? int64_t{32} * plan.capacity : 32;
  for (int image = 0; image < at.images; ++image) {
    uint16_t* target = to + (at.first_image + image) * image_stride;
    for (int position = 0; position < at.positions; ++position) {
      const float* from = panel + image * kPanelStride + position * at.channels;
      for (int channel = 0; channel < at.channels; channel += 32) {
        const int64_t block = (at.position + position) * blocks + (at.channel + channel) / 32;
        const int left = at.channels - channel;
        float padded[32] = {};
        if (left < 32) {
          __builtin_memcpy(padded, from + channel, sizeof(float) * static_cast<size_t>(left));
        }
        const float* numbers = left < 32 ? padded : from + channel;
        for (int i = 0; i < 32; i += kVector) {
          store_bfloat16(target + block * block_stride + i, load_unaligned(numbers + i));
        }
      }
    }
  }
}

void encode_plain(const Conversion& plan, const Extent& at, const float* panel, float* to) {
  const int64_t first = at.position * plan.channels + at.channel;
  for (int image = 0; image < at.images; ++image) {
    const int64_t start = (at.first_image + image) * plan.positions * plan.channels + first;
    __builtin_memcpy(to + start, panel + image * kPanelStride,
                     sizeof(float) * static_cast<size_t>(at.numbers()));
  }
}

void encode_planes(const Conversion& plan, const Extent& at, const float* panel, float* to) {
  const int across = planar(plan) ? 1 : at.channels;
  for (int image = 0; image < at.images; ++image) {
    const int64_t start = (at.first_image + image) * plan.positions * plan.channels;
    for (int channel = 0; channel < at.channels; ++channel) {
      float* plane = to + start + (at.channel + channel) * plan.positions + at.position;
      const float* from =
          panel + image * kPanelStride + (planar(plan) ? channel * at.positions : channel);
      if (across == 1) {
        __builtin_memcpy(plane, from, sizeof(float) * static_cast<size_t>(at.positions));
      } else {
        for (int i = 0; i < at.positions; ++i) plane[i] = from[i * across];
      }
    }
  }
}

// Bytes of kByteVectors vectors of levels.
#if GK_VECTOR_BYTES == 32 && defined(__AVX2__)
constexpr int kByteVectors = 4;
GK_INLINE void store_bytes(uint8_t* to, const Integers (&levels)[kByteVectors]) {
  const auto at = [&](int i) { return reinterpret_cast<__m256i>(levels[i] & 0xff); };
  // Packing keeps to halves of 16 bytes; the last step puts them in order.
  const __m256i packed = _mm256_packus_epi16(_mm256_packs_epi32(at(0), at(1)),
                                             _mm256_packs_epi32(at(2), at(3)));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_permutevar8x32_epi32(packed, order));
}
#else
constexpr int kByteVectors = 1;
GK_INLINE void store_bytes(uint8_t* to, const Integers (&levels)[kByteVectors]) {
  typedef uint8_t Bytes __attribute__((vector_size(kVector), aligned(1), may_alias));
  *reinterpret_cast<Bytes*>(to) = __builtin_convertvector(levels[0], Bytes);
}
#endif

void encode_images(const Conversion& plan, const Extent& at, const float* panel, uint8_t* to) {
  const int64_t first = at.position * plan.channels + at.channel;
  const Vector scale = broadcast(plan.scale), offset = broadcast(plan.offset);
  for (int image = 0; image < at.images; ++image) {
    const float* from = panel + image * kPanelStride;
    uint8_t* target = to + (at.first_image + image) * plan.positions * plan.channels + first;
    int i = 0;
    for (; i + kByteVectors * kVector <= at.numbers(); i += kByteVectors * kVector) {
      Integers levels[kByteVectors];
      for (int j = 0; j < kByteVectors; ++j) {
        levels[j] = to_uint8(load_unaligned(from + i + j * kVector), scale, offset);
      }
      store_bytes(target + i, levels);
    }
    for (; i < at.numbers(); i += kVector) {
      const int left = at.numbers() - i < kVector ? at.numbers() - i : kVector;
      const Integers levels = to_uint8(load_strided(from + i, 1, left), scale, offset);
      for (int j = 0; j < left; ++j) target[i + j] = static_cast<uint8_t>(levels[j]);
    }
  }
}

void encode(const Conversion& plan, const Extent& at, const float* panel, void* to) {
  switch (plan.to_form) {
    case GK_LANES:
      return encode_lanes(plan, at, panel, static_cast<float*>(to));
    case GK_ROWS:
    case GK_PLAIN16:
      return encode_blocks(plan, at, panel, static_cast<uint16_t*>(to));
    case GK_PLAIN:
      return encode_plain(plan, at, panel, static_cast<float*>(to));
    case GK_PLANES:
      return encode_planes(plan, at, panel, static_cast<float*>(to));
    default:
      return encode_images(plan, at, panel, static_cast<uint8_t*>(to));
  }
}

}  // namespace
}  // namespace gk
