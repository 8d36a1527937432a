#include "positions/weights.h"

#include <cstring>
#include <vector>

#include "isa/round_bfloat16.h"

namespace gk {
namespace {

// What a column holds at one tap: channels first .. first + in_channels - 1 of a packed group.
struct Column {
  const float* weight = nullptr;  // of its first channel; null is zero
  int first = 0;
};

uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

}  // namespace

Buffer<uint32_t> PositionWeights::pack(const Grid& grid, int panels, int width) const {
  const int64_t stride = static_cast<int64_t>(groups) * out_channels;
  const int across = out_channels * merged;
  Buffer<uint32_t> packed(static_cast<size_t>(packed_groups()) * panels * grid.taps() * words() *
                          width);
  uint32_t* to = packed.data();
  std::vector<Column> columns_here(width);
  const auto value = [&](const Column& column, int channel) {
    const int inside = channel - column.first;
    if (!column.weight || inside < 0 || inside >= in_channels) return 0.0f;
    return column.weight[inside * stride];
  };
  for (int group = 0; group < packed_groups(); ++group) {
    for (int panel = 0; panel < panels; ++panel) {
      for (int tap = 0; tap < grid.taps(); ++tap) {
        for (int lane = 0; lane < width; ++lane) {
          const int column = panel * width + lane;
          const int kernel_tap =
              column < columns(grid) ? grid.kernel_tap(tap, column / across) : -1;
          const int channel = column % across;
          columns_here[lane] = {};
          if (kernel_tap < 0) continue;
          const float* from = weight + kernel_tap * in_channels * stride + group * across + channel;
          columns_here[lane] = {from, channel / out_channels * in_channels};
        }
        for (int word = 0; word < words(); ++word) {
          for (const Column& column : columns_here) {
            *to++ = bfloat16 ? to_bfloat16(value(column, 2 * word)) |
                                   uint32_t{to_bfloat16(value(column, 2 * word + 1))} << 16
                             : bits_of(value(column, word));
          }
        }
      }
    }
  }
  return packed;
}

Buffer<float> PositionWeights::pack_shift(const Grid& grid, int panels, int width) const {
  const int across = out_channels * merged;
  Buffer<float> packed(static_cast<size_t>(packed_groups()) * panels * width);
  for (int group = 0; group < packed_groups(); ++group) {
    for (int column = 0; column < panels * width; ++column) {
      const bool stands = shift && column < columns(grid);
      packed[static_cast<size_t>(group) * panels * width + column] =
          stands ? shift[group * across + column % across] : 0.0f;
    }
  }
  return packed;
}

}  // namespace gk
