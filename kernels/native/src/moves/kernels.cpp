#include "moves/kernels.h"

#include "isa/finite.h"
#include "moves/encode.h"

namespace gk {
namespace {

// Positions of a panel. Planes are written in runs of positions: whole vectors of them.
int positions_of_panel(const Conversion& plan) {
  const int64_t most = kPanelNumbers / plan.channels;
  return static_cast<int>(most > 16 ? most / 16 * 16 : most);
}

// Whole blocks of channels, which lie the same way in both forms.
bool straight(const Conversion& plan) {
  return plan.from_form == GK_PLAIN && plan.to_form == GK_PLAIN16 && plan.channels % 32 == 0 &&
         !plan.check;
}

void round_straight(const Conversion& plan, const ConversionShare& share, const float* from,
                    uint16_t* to) {
  constexpr int64_t kBlock = 32;
  const int64_t blocks = (share.end - share.begin) * plan.channels / kBlock;
  const int64_t first = blocks * share.images * share.part / share.parts;
  const int64_t last = blocks * share.images * (share.part + 1) / share.parts;
  const int64_t between = (plan.positions * plan.channels - blocks * kBlock);
  int64_t at = share.begin * plan.channels + first / blocks * between + first * kBlock;
  for (int64_t block = first; block < last; ++block, at += kBlock) {
    if (block != first && block % blocks == 0) at += between;
    for (int i = 0; i < kBlock; i += kVector) {
      store_bfloat16(to + at + i, load_unaligned(from + at + i));
    }
  }
}

void convert(const Conversion& plan, const ConversionShare& share, const void* from, void* to) {
  if (plan.channels == 0 || share.end == share.begin) return;
  if (straight(plan)) {
    return round_straight(plan, share, static_cast<const float*>(from),
                          static_cast<uint16_t*>(to));
  }
  const bool split = plan.channels > kPanelNumbers;
  const int positions = split ? 1 : positions_of_panel(plan);
  const int64_t runs = split ? (plan.channels + kPanelNumbers - 1) / kPanelNumbers : 1;
  const int64_t panels = (share.end - share.begin + positions - 1) / positions * runs;
  const int64_t groups = (share.images + kPanelImages - 1) / kPanelImages;
  const int64_t items = panels * groups;
  auto* panel = static_cast<float*>(share.scratch);
  for (int64_t item = items * share.part / share.parts;
       item < items * (share.part + 1) / share.parts; ++item) {
    const int64_t position = share.begin + item / groups / runs * positions;
    const int64_t channel = item / groups % runs * kPanelNumbers;
    const int first_image = static_cast<int>(item % groups) * kPanelImages;
    const int64_t channels = plan.channels - channel;
    const int64_t left = share.end - position;
    const Extent at{position,
                    left < positions ? static_cast<int>(left) : positions,
                    channel,
                    channels < kPanelNumbers ? static_cast<int>(channels) : kPanelNumbers,
                    first_image,
                    share.images - first_image < kPanelImages ? share.images - first_image
                                                              : kPanelImages};
    decode(plan, at, from, panel);
    if (plan.check) {
      for (int image = 0; image < at.images; ++image) {
        if (!all_finite(panel + image * kPanelStride, at.numbers())) {
          mark_not_finite(share.finite + first_image + image);
        }
      }
    }
    encode(plan, at, panel, to);
  }
}

void fill(const void* value, int64_t bytes, char* to, int64_t used) {
  for (int64_t done = 0; done < used; done += bytes) {
    __builtin_memcpy(to + done, value, static_cast<size_t>(bytes));
  }
}

// The model's unit, once for each image that a unit of the output holds.
void copy_table(const Run& run, const Units& units, char* out) {
  const int64_t size = units.table_bytes;
  for (int64_t i = 0; i < run.count; ++i) {
    const char* value = static_cast<const char*>(units.table) + (run.from + i * run.step) * size;
    fill(value, size, out + (run.to + i) * units.stride, units.bytes);
  }
}

void copy_run(const Run& run, const Units& units, const char* source, char* out) {
  char* to = out + run.to * units.stride;
  const char* from = source + run.from * units.stride;
  if (run.step == 1 && units.bytes == units.stride) {
    __builtin_memcpy(to, from, static_cast<size_t>(run.count * units.stride));
  } else if (units.bytes == 4) {
    for (int64_t i = 0; i < run.count; ++i) {
      __builtin_memcpy(to + i * 4, from + i * run.step * 4, 4);
    }
  } else {
    for (int64_t i = 0; i < run.count; ++i) {
      __builtin_memcpy(to + i * units.stride, from + i * run.step * units.stride,
                       static_cast<size_t>(units.bytes));
    }
  }
}

// The first of the runs that reaches beyond `begin`.
int64_t find(const Run* runs, int64_t count, int64_t begin) {
  int64_t low = 0, high = count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (runs[middle].to + runs[middle].count <= begin) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void copy(const Run* runs, int64_t count, int64_t begin, int64_t end, const Units& units,
          const void* const* sources, void* out) {
  const int64_t first = find(runs, count, begin);
  for (int image = 0; image < units.images; ++image) {
    char* to = static_cast<char*>(out) + image * units.out_image;
    for (int64_t i = first; i < count && runs[i].to < end; ++i) {
      Run run = runs[i];
      const int64_t skipped = begin > run.to ? begin - run.to : 0;
      run.to += skipped;
      run.from += skipped * run.step;
      run.count -= skipped;
      if (run.to + run.count > end) run.count = end - run.to;
      if (run.source == kTable) {
        copy_table(run, units, to);
      } else {
        const char* source = static_cast<const char*>(sources[run.source]);
        copy_run(run, units, source + image * units.source_image[run.source], to);
      }
    }
  }
}

void look_up(const Lookup& lookup, const int64_t* labels, float* out, int images, int64_t begin,
             int64_t end) {
  for (int64_t position = begin; position < end; ++position) {
    for (int image = 0; image < images; ++image) {
      const int64_t label = labels[image * lookup.positions + position];
      const bool known = label >= 0 && label < lookup.classes;
      const float* row = lookup.table + (known ? label : 0) * lookup.size;
      float* to = out + image * lookup.image_stride + position * lookup.size * lookup.number_stride;
      for (int64_t i = 0; i < lookup.size; ++i) {
        to[i * lookup.number_stride] = known ? row[i] : __builtin_nanf("");
      }
    }
  }
}

}  // namespace

extern const MoveKernels GK_TABLE(moves) = {convert, copy, look_up};

}  // namespace gk
