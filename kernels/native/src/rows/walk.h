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
};

// 16 images at one site.
struct RowUnit {
  const uint16_t* from;  // their first block of the first input
  int image;
  const RowSite* sites[3];
};

// Sums that wait to be finished. It is done a few images at a time between the steps of the next
// product, whose tiles leave the vector units idle.
template <int kTiles, class Finish>
struct Pending {
  static constexpr int kMost = 4 / kTiles;

  const Finish& finish;
  typename Finish::Place places[kMost];
  float* sums;  // [unit][tile][16 images][16 columns]
  int images = 0;     // 16 of each unit
  int done = 0;
  int stride = 0;  // images for a step

  // Spreads the images over so many steps.
  GK_INLINE void spread(int64_t steps) {
    stride = steps < images ? (steps > 0 ? static_cast<int>((images + steps - 1) / steps) : 0) : 1;
  }

  GK_INLINE void advance() {
    const int end = done + stride < images ? done + stride : images;
    for (; done < end; ++done) {
      const int unit = done / kRowImages;
      const int image = done % kRowImages;
      finish.image(places[unit], image, sums + unit * kTiles * 256 + image * 16);
    }
  }

  GK_INLINE void complete() {
    stride = images;
    advance();
  }
};

template <int kRows, int kTiles, class Finish>
__attribute__((noinline)) void multiply(const RowBox& box, const RowUnit* units,
                                        const uint16_t* weights, const float* shift, float* sums,
                                        Pending<kTiles, Finish>& pending) {
  const uint16_t* from[kRows];
  GK_UNROLL for (int row = 0; row < kRows; ++row) from[row] = units[row].from;
  const int64_t block_step = box.block_step;
  Product<kRows, kTiles> product;
  pending.spread(int64_t{box.counts[0]} * box.counts[1] * box.counts[2] * box.blocks *
                 product.kPieces);
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
            pending.advance();
            at += block_step;
            panel += kTiles * 512;
          }
        }
      }
    }
    product.end(sums);
  }
  pending.complete();
}

template <int kTiles, class Finish>
class Walk {
 public:
  Walk(const RowTask& task, const Finish& finish)
      : task_(task), sums_(task.scratch), pending_{finish, {}, task.scratch + kRowSums} {
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
    if (products > 0) chunk_ = (task.next_bytes / products + 63) / 64 * 64;
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
    pending_.complete();
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
    prefetch();
    switch (count_) {
      case 1:
        multiply<1, kTiles>(box_, units_, weights, task_.panel.shift, sums_, pending_);
        break;
      case 2:
        multiply<2, kTiles>(box_, units_, weights, task_.panel.shift, sums_, pending_);
        break;
      default:
        if constexpr (kTiles == 1) {
          if (count_ == 3) {
            multiply<3, kTiles>(box_, units_, weights, task_.panel.shift, sums_, pending_);
          } else {
            multiply<4, kTiles>(box_, units_, weights, task_.panel.shift, sums_, pending_);
          }
        }
    }
    float* const free = pending_.sums;
    pending_.sums = sums_;
    sums_ = free;
    for (int i = 0; i < count_; ++i) pending_.places[i] = pending_.finish.place(units_[i]);
    pending_.images = count_ * kRowImages;
    pending_.done = 0;
    count_ = 0;
  }

  // A share of the panel that comes next, into the second level.
  void prefetch() {
    for (int64_t at = 0; at < chunk_; at += 64) {
      _mm_prefetch(task_.next + fetched_ + at, _MM_HINT_T1);
    }
    fetched_ += chunk_;
  }

  const RowTask& task_;
  float* sums_;
  Pending<kTiles, Finish> pending_;
  RowBox box_;
  int64_t inputs_[3];  // from one input position to the next along an axis
  int64_t chunk_ = 0;
  int64_t fetched_ = 0;
  RowUnit units_[kMost];
  int count_ = 0;
};

}  // namespace
}  // namespace gk
