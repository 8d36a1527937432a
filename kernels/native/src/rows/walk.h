// All products of a task: sites and images are gathered until a product is full, which is as many
// as have the same weights. For kernels.cpp only.

#pragma once

#include "rows/kernels.h"
#if defined(__AMX_BF16__)
#include "rows/tiles.h"
#else
#include "rows/vectors.h"
#endif

namespace gk {
namespace {

// The inputs that a site meets, as a box of steps.
struct RowBox {
  int counts[3];
  int64_t input_steps[3];
  int64_t weight_steps[3];
  int blocks;
  int64_t block_step;
  unsigned fetched;  // bytes of weights to come, meanwhile
};

// 16 images at one site.
struct RowUnit {
  const uint16_t* from;  // their first block of the first input
  int image;
  const RowSite* sites[3];
};

// What is done between the steps of a product, whose tiles leave the vector units idle: the sums of
// the product before are finished, Finish::kSlice images in one go, and weights that come later are
// fetched into the second level.
template <int kTiles, class Finish>
struct Background {
  static constexpr int kMost = 4 / kTiles;
  static constexpr unsigned kSlices = kRowImages / Finish::kSlice;

  Finish finish;
  typename Finish::Place places[kMost];
  float* sums;  // [unit][tile][16 images][16 columns]
  const char* next;
  const char* next_end;
  unsigned slices;  // kSlices of each unit
  unsigned done;
  unsigned slices_each;  // step
  unsigned lines_each;

  // Spreads the slices, and `bytes` of the weights, over so many steps.
  GK_INLINE void spread(unsigned steps, unsigned bytes) {
    if (steps < 1) steps = 1;
    slices_each = (slices + steps - 1) / steps;
    lines_each = (bytes / 64 + steps) / steps;
  }

  GK_INLINE void step() {
    if (next < next_end) {
      for (unsigned line = 0; line < lines_each; ++line, next += 64) {
        _mm_prefetch(next, _MM_HINT_T1);
      }
    }
    if (done < slices) finish_until(done + slices_each);
  }

  GK_INLINE void finish_until(unsigned end) {
    for (end = end < slices ? end : slices; done < end; ++done) {
      const unsigned unit = done / kSlices;
      const unsigned image = done % kSlices * Finish::kSlice;
      finish.images(places[unit], image, sums + unit * kTiles * 256 + image * 16);
    }
  }
};

template <int kRows, int kTiles, class Finish>
__attribute__((noinline)) void multiply(const RowBox& box, const RowUnit* units,
                                        const uint16_t* weights, const float* shift, float* sums,
                                        Background<kTiles, Finish>& given) {
  const uint16_t* from[kRows];
  GK_UNROLL for (int row = 0; row < kRows; ++row) from[row] = units[row].from;
  const int64_t block_step = box.block_step;
  Product<kRows, kTiles> product;
  // A copy stays in registers.
  Background<kTiles, Finish> background = given;
  background.spread(static_cast<unsigned>(box.counts[0] * box.counts[1] * box.counts[2] *
                                          box.blocks * product.kPieces),
                    box.fetched);
  for (int piece = 0; piece < product.kPieces; ++piece) {
    product.begin(piece, shift);
    for (int i = 0; i < box.counts[0]; ++i) {
      for (int j = 0; j < box.counts[1]; ++j) {
        for (int k = 0; k < box.counts[2]; ++k) {
          int64_t at =
              i * box.input_steps[0] + j * box.input_steps[1] + k * box.input_steps[2];
          const uint16_t* panel = weights + i * box.weight_steps[0] + j * box.weight_steps[1] +
                                  k * box.weight_steps[2];
          for (int block = box.blocks; block > 0; --block) {
            product.add(from, at, panel);
            background.step();
            at += block_step;
            panel += kTiles * 512;
          }
        }
      }
    }
    product.end(sums);
  }
  background.finish_until(background.slices);
  given.next = background.next;
}

template <int kTiles, class Finish>
class Walk {
 public:
  Walk(const RowTask& task, const Finish& finish)
      : task_(task),
        sums_(task.scratch),
        background_{finish, {}, task.scratch + kRowSums, task.next, task.next + task.next_bytes,
                    0,      0,  0,                       0} {
    const RowPanel& panel = task.panel;
    box_.blocks = panel.blocks;
    box_.block_step = int64_t{task.capacity} * kRowChannels;
    int64_t input_step = box_.block_step * task.input_blocks;
    int64_t weight_step = int64_t{panel.blocks} * kTiles * 512;
    int64_t units = (task.images + kRowImages - 1) / kRowImages;
    for (int axis = 2; axis >= 0; --axis) {
      inputs_[axis] = input_step;
      box_.input_steps[axis] = task.axes[axis].step * input_step;
      box_.weight_steps[axis] = weight_step;
      input_step *= task.input_axes[axis];
      weight_step *= task.axes[axis].slots;
      units *= task.axes[axis].count;
    }
    const int64_t products = (units + kMost - 1) / kMost;
    box_.fetched = products > 0 ? static_cast<unsigned>(task.next_bytes / products) : 0;
  }

  void run() {
    RowUnit unit;
    for (int i = 0; i < task_.axes[0].count; ++i) {
      unit.sites[0] = task_.axes[0].sites + i;
      for (int j = 0; j < task_.axes[1].count; ++j) {
        unit.sites[1] = task_.axes[1].sites + j;
        for (int k = 0; k < task_.axes[2].count; ++k) {
          unit.sites[2] = task_.axes[2].sites + k;
          add(unit);
        }
      }
    }
    if (count_ > 0) flush();
    background_.finish_until(background_.slices);
  }

 private:
  static constexpr int kMost = 4 / kTiles;

  // All images of a site.
  void add(RowUnit& unit) {
    if (count_ > 0 && !shares_weights(unit)) flush();
    const uint16_t* from = task_.input + task_.panel.first_block * box_.block_step;
    for (int axis = 0; axis < 3; ++axis) from += unit.sites[axis]->input * inputs_[axis];
    for (unit.image = 0; unit.image < task_.images; unit.image += kRowImages) {
      unit.from = from + unit.image * kRowChannels;
      units_[count_++] = unit;
      if (count_ == kMost) flush();
    }
  }

  bool shares_weights(const RowUnit& unit) const {
    for (int axis = 0; axis < 3; ++axis) {
      const RowSite& mine = *units_[0].sites[axis];
      const RowSite& other = *unit.sites[axis];
      if (mine.slot != other.slot || mine.slots != other.slots) return false;
    }
    return true;
  }

  void flush() {
    const uint16_t* weights = task_.panel.weights;
    for (int axis = 0; axis < 3; ++axis) {
      box_.counts[axis] = units_[0].sites[axis]->slots;
      weights += units_[0].sites[axis]->slot * box_.weight_steps[axis];
    }
    switch (count_) {
      case 1:
        multiply<1, kTiles>(box_, units_, weights, task_.panel.shift, sums_, background_);
        break;
      case 2:
        multiply<2, kTiles>(box_, units_, weights, task_.panel.shift, sums_, background_);
        break;
      default:
        if constexpr (kTiles == 1) {
          if (count_ == 3) {
            multiply<3, kTiles>(box_, units_, weights, task_.panel.shift, sums_, background_);
          } else {
            multiply<4, kTiles>(box_, units_, weights, task_.panel.shift, sums_, background_);
          }
        }
    }
    float* const free = background_.sums;
    background_.sums = sums_;
    sums_ = free;
    for (int i = 0; i < count_; ++i) background_.places[i] = background_.finish.place(units_[i]);
    background_.slices = count_ * background_.kSlices;
    background_.done = 0;
    count_ = 0;
  }

  const RowTask& task_;
  float* sums_;
  Background<kTiles, Finish> background_;
  RowBox box_;
  int64_t inputs_[3];  // from one input position to the next along an axis
  RowUnit units_[kMost];
  int count_ = 0;
};

}  // namespace
}  // namespace gk
