#include "place.h"

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "limits.h"

namespace gk {
namespace {

constexpr int64_t kBlock = 32;

[[noreturn]] void refuse(const gk_value& value, const std::string& why) {
  throw std::invalid_argument("a value of form " + std::to_string(value.form) + ", " +
                              std::to_string(value.positions) + " positions and " +
                              std::to_string(value.channels) + " channels " + why);
}

int64_t product(const gk_value& value, std::initializer_list<int64_t> factors) {
  int64_t result = 1;
  for (const int64_t factor : factors) result = multiplied(result, factor);
  if (result > kMostBytes) refuse(value, "is too large");
  return result;
}

// What a value in the arena begins at a multiple of.
int64_t alignment(const gk_value& value) {
  switch (value.form) {
    case GK_LANES:
    case GK_ROWS:
      return 64;  // read and written in whole vectors
    case GK_INDEX:
      return 8;
    case GK_IMAGES:
      return 1;
    default:
      return 4;
  }
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
  if (value.form == GK_LANES || value.form == GK_ROWS || value.form == GK_PLAIN16) {
    refuse(value, "is the caller's; lanes, rows and plain16 live in the arena only");
  }
  return bytes_of_image(value);
}

void check_place(const gk_value& value, int capacity, int64_t arena_bytes) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  if (value.positions < 0 || value.channels < 0) refuse(value, "has no such size");
  if (value.positions > kMost || value.channels > kMost) refuse(value, "is too large");
  if (value.space < GK_ARENA || value.space > GK_OUTPUT || value.offset < 0) {
    refuse(value, "lies nowhere");
  }
  if (value.space != GK_ARENA) {
    image_bytes(value);
    if (value.offset >= kMostArguments) refuse(value, "is an argument of too high a number");
    return;
  }
  const int64_t bytes = product(value, {bytes_of_image(value), capacity});
  if (bytes > arena_bytes || value.offset > arena_bytes - bytes) {
    refuse(value, "does not lie within the arena of " + std::to_string(arena_bytes) + " bytes");
  }
  if (value.offset % alignment(value)) {
    refuse(value, "lies at byte " + std::to_string(value.offset) + ", no multiple of " +
                      std::to_string(alignment(value)));
  }
}

}  // namespace gk
