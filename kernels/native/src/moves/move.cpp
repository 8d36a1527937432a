#include "moves/move.h"

#include <cstring>

#include "isa/round_bfloat16.h"
#include "limits.h"

namespace gk {
namespace {

int64_t units_of(const gk_value& value) {
  return is_bfloat16(value) ? value.positions * channel_blocks(value) : elements(value);
}

// A table of places as runs of equal steps, and those of nowhere.
std::vector<Run> runs_of(const Sizes& table) {
  std::vector<Run> runs;
  for (int64_t i = 0; i < static_cast<int64_t>(table.size()); ++i) {
    const int64_t place = table[static_cast<size_t>(i)];
    const int source = place == Move::kNowhere ? kTable : 0;
    if (!runs.empty() && runs.back().source == source) {
      Run& last = runs.back();
      if (source == kTable || last.count == 1) last.step = place - last.from;
      if (source == kTable || last.from + last.count * last.step == place) {
        ++last.count;
        continue;
      }
    }
    runs.push_back({i, place, 1, 1, source});
  }
  return runs;
}

}  // namespace

Move::Move(Description& description, const Target& target, int inputs, bool banded)
    : kernels_(target.kernels.moves),
      output_(description.output(0)),
      rows_(banded ? read_rows(description, units_of(output_)) : 1) {
  description.expect_values(inputs, 1);
  check_forms(description, target, Forms::kAll);
  for (int i = 0; i < description.input_count(); ++i) {
    inputs_.push_back(units_of(description.input(i)) * unit_bytes());
  }
}

Sizes Move::in_units(Sizes shape) const {
  if (shape.empty()) return {1};
  if (is_bfloat16(output_)) shape.back() = (shape.back() + 31) / 32;
  return shape;
}

void Move::append(const Run& run) {
  if (run.count == 0) return;
  if (!runs_.empty() && runs_.back().source == run.source) {
    Run& last = runs_.back();
    const int64_t step = last.count == 1 ? run.from - last.from : last.step;
    if (last.from + last.count * step == run.from && (run.count == 1 || run.step == step)) {
      last.step = step;
      last.count += run.count;
      units_ += run.count;
      return;
    }
  }
  runs_.push_back({units_, run.from, run.step, run.count, run.source});
  units_ += run.count;
}

void Move::append_axes(const Description& description, const std::vector<Sizes>& tables) {
  if (tables.empty()) return append({0, 0, 1, 1, 0});
  const std::vector<Run> inner = runs_of(tables.back());
  const size_t outer = tables.size() - 1;
  auto turns = static_cast<int64_t>(inner.size());
  for (size_t axis = 0; axis < outer; ++axis) {
    turns = multiplied(turns, static_cast<int64_t>(tables[axis].size()));
  }
  if (turns == 0) return;
  description.check_planned(turns);
  Sizes index(outer);
  for (;;) {
    int64_t from = 0;
    bool somewhere = true;
    for (size_t axis = 0; axis < outer; ++axis) {
      const int64_t place = tables[axis][static_cast<size_t>(index[axis])];
      somewhere = somewhere && place != kNowhere;
      // Beside nothing, what a place would be may be beyond all integers.
      if (somewhere) from += place;
    }
    for (const Run& run : inner) {
      const bool found = somewhere && run.source != kTable;
      append(found ? Run{0, from + run.from, run.step, run.count, 0}
                   : Run{0, run.to, 1, run.count, kTable});
    }
    size_t axis = outer;
    while (axis > 0 && ++index[axis - 1] == static_cast<int64_t>(tables[axis - 1].size())) {
      index[--axis] = 0;
    }
    if (axis == 0) return;
  }
}

void Move::set_table(const float* numbers, int64_t count, int64_t channels) {
  if (!is_bfloat16(output_)) {
    floats_ = Buffer<float>(static_cast<size_t>(count * channels));
    std::memcpy(floats_.data(), numbers, floats_.bytes());
    return;
  }
  const int64_t padded = (channels + 31) / 32 * 32;
  halves_ = Buffer<uint16_t>(static_cast<size_t>(count * padded));
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t channel = 0; channel < padded; ++channel) {
      halves_[static_cast<size_t>(i * padded + channel)] =
          channel < channels ? to_bfloat16(numbers[i * channels + channel]) : uint16_t{0};
    }
  }
}

size_t Move::weight_bytes() const {
  return runs_.size() * sizeof(Run) + floats_.bytes() + halves_.bytes();
}

void Move::run(const Work& work) const {
  const bool half = is_bfloat16(output_);
  const int64_t unit = unit_bytes();
  const bool apart = output_.form == GK_PLAIN || output_.form == GK_PLAIN16;
  // Lanes are moved in whole vectors, rows image by image.
  const int used = half ? work.images : in_vectors(work.images);
  Units units{};
  units.stride = apart ? unit : unit * work.capacity;
  units.bytes = apart ? unit : unit * used;
  units.images = apart ? work.images : 1;
  units.out_image = units_ * unit;
  units.source_image = inputs_.data();
  units.table = half ? static_cast<const void*>(halves_.data()) : floats_.data();
  units.table_bytes = unit;
  const int64_t row = units_ / rows_;
  const Share share = share_of(row * work.begin, row * work.end, work);
  kernels_.copy(runs_.data(), static_cast<int64_t>(runs_.size()), share.begin, share.end, units,
                work.inputs, work.outputs[0]);
}

}  // namespace gk
