#include "forms.h"

#include <limits>

namespace gk {

void check_capacity(const Description& description, const Target& target) {
  if (target.capacity % 16 == 0) return;
  const auto check = [&](const gk_value& value) {
    if (value.form == GK_LANES || value.form == GK_ROWS) {
      description.refuse("capacity " + std::to_string(target.capacity) +
                         " is not a multiple of 16, which lanes and rows need");
    }
  };
  for (int i = 0; i < description.input_count(); ++i) check(description.input(i));
  for (int i = 0; i < description.output_count(); ++i) check(description.output(i));
}

void check_forms(const Description& description, const Target& target, Forms forms) {
  const gk_value& output = description.output(0);
  const bool fits = output.form == GK_LANES || output.form == GK_PLAIN ||
                    (forms == Forms::kAll && is_bfloat16(output));
  if (!fits) description.refuse("does not write form " + std::to_string(output.form));
  if (output.space != GK_ARENA) description.refuse("writes to the arena only; convert from there");
  for (int i = 0; i < description.input_count(); ++i) {
    if (description.input(i).form != output.form) {
      description.refuse("input " + std::to_string(i) + " has form " +
                         std::to_string(description.input(i).form) + ", the output " +
                         std::to_string(output.form));
    }
  }
  check_capacity(description, target);
}

int read_rows(Description& description, int64_t divided) {
  const int rows = description.integer(1, std::numeric_limits<int>::max());
  if (divided % rows != 0) {
    description.refuse(std::to_string(rows) + " rows do not divide " + std::to_string(divided));
  }
  return rows;
}

}  // namespace gk
