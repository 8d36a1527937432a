// How work is cut: lanes into blocks of vectors, and a worker's part of the columns or positions.

#pragma once

#include "lanes/blocks.h"
#include "lanes/kernels.h"

namespace gk::lanes {

// Some vectors of images: the first lane, and how many vectors.
struct Lanes {
  int first;
  int vectors;
};

// The vectors that hold `images`, in blocks of nearly equal size.
class LaneBlocks {
 public:
  LaneBlocks(const LaneKernels& kernels, int images)
      : vector_(kernels.vector),
        vectors_((images + vector_ - 1) / vector_),
        blocks_(block_count(vectors_, kernels.most_vectors)) {}

  int count() const { return blocks_; }
  Lanes operator[](int block) const {
    const int first = block_start(block, blocks_, vectors_);
    return {first * vector_, block_start(block + 1, blocks_, vectors_) - first};
  }

  struct Iterator {
    const LaneBlocks& blocks;
    int block;
    bool operator!=(const Iterator& other) const { return block != other.block; }
    void operator++() { ++block; }
    Lanes operator*() const { return blocks[block]; }
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, blocks_}; }

 private:
  int vector_;
  int vectors_;
  int blocks_;
};

// A worker's part: of the column blocks where they are many, so that each worker reads its own
// weights, else of the positions.
struct Share {
  Share(int blocks, int positions, int part, int parts)
      : first_block(0), last_block(blocks), first_position(0), last_position(positions) {
    if (blocks >= kManyBlocks * parts || blocks > positions) {
      first_block = block_start(part, parts, blocks);
      last_block = block_start(part + 1, parts, blocks);
    } else {
      first_position = block_start(part, parts, positions);
      last_position = block_start(part + 1, parts, positions);
    }
  }

  int first_block;
  int last_block;
  int first_position;
  int last_position;

 private:
  static constexpr int kManyBlocks = 4;
};

}  // namespace gk::lanes
