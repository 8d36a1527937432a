#include "place.h"

#include <initializer_list>
#include <stdexcept>
#include <string>

namespace gk {
namespace {

// Lanes and rows are read and written in whole vectors.
constexpr int64_t kAlignment = 64;
constexpr int64_t kBlock = 32;

[[noreturn]] void refuse(const gk_value& value, const std::string& why) {
  throw std::invalid_argument("a value of form " + std::to_string(value.form) + ", " +
                              std::to_string(value.positions) + " positions and " +
                              std::to_string(value.channels) + " channels " + why);
}

int64_t product(const gk_value& value, std::initializer_list<int64_t> factors) {
  int64_t result = 1;
  for (const int64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result)) refuse(value, "is too large");
  }
  return result;
}

// Bytes of an image, whatever the form.
int64_t bytes_of_image(const gk_value& value) {
  switch (value.form) {
    case GK_LANES:
    case GK_PLAIN:
    case GK_PLANES:
      return product(value, {value.positions, value.channels, 4});
    case GK_ROWS:
    case GK_PLAIN16:
      return product(value, {value.positions, (value.channels + kBlock - 1) / kBlock * kBlock, 2});
    case GK_INDEX:
      return product(value, {value.positions, value.channels, 8});
    case GK_IMAGES:
      return product(value, {value.positions, value.channels});
    default:
      refuse(value, "has no such form");
  }
}

}  // namespace

int64_t image_bytes(const gk_value& value) {
  if (value.form == GK_LANES || value.form == GK_ROWS) {
    refuse(value, "is the caller's; lanes and rows live in the arena only");
  }
  return bytes_of_image(value);
}

void check_place(const gk_value& value, int capacity, int64_t arena_bytes) {
  constexpr int64_t kMost = int64_t{1} << 40;
  if (value.positions < 0 || value.channels < 0 || value.positions > kMost ||
      value.channels > kMost) {
    refuse(value, "has no such size");
  }
  if (value.space < GK_ARENA || value.space > GK_OUTPUT || value.offset < 0) {
    refuse(value, "lies nowhere");
  }
  if (value.space != GK_ARENA) {
    image_bytes(value);
    return;
  }
  const int64_t bytes = product(value, {bytes_of_image(value), capacity});
  if (bytes > arena_bytes || value.offset > arena_bytes - bytes) {
    refuse(value, "does not lie within the arena of " + std::to_string(arena_bytes) + " bytes");
  }
  if ((value.form == GK_LANES || value.form == GK_ROWS) && value.offset % kAlignment) {
    refuse(value, "lies at byte " + std::to_string(value.offset) + ", no multiple of 64");
  }
}

}  // namespace gk
