// How values lie in memory, for operations that are written once for several forms.

#pragma once

#include "description.h"
#include "registry.h"

namespace gk {

inline int64_t elements(const gk_value& value) { return value.positions * value.channels; }
inline int64_t channel_blocks(const gk_value& value) { return (value.channels + 31) / 32; }
inline bool is_bfloat16(const gk_value& value) {
  return value.form == GK_ROWS || value.form == GK_PLAIN16;
}
// Images that lie in whole vectors of lanes or rows.
inline int in_vectors(int images) { return (images + 15) / 16 * 16; }

// Refuses a capacity that does not fit the vectors of lanes and rows, where there are any.
void check_capacity(const Description& description, const Target& target);
// Refuses unless all inputs and outputs have one of the forms, and the output lies in the arena.
enum class Forms { kFloat32, kAll };
void check_forms(const Description& description, const Target& target, Forms forms);
// The integer `rows`, which must divide what is cut into rows.
int read_rows(Description& description, int64_t divided);

// A part of begin .. end - 1, without gaps between parts.
struct Share {
  int64_t begin;
  int64_t end;
};
inline Share share_of(int64_t begin, int64_t end, const Work& work) {
  const int64_t count = end - begin;
  return {begin + count * work.part / work.parts, begin + count * (work.part + 1) / work.parts};
}

}  // namespace gk
