// What an operation is to the network: packed once, then run on micro-batches by any worker.

#pragma once

#include <cstddef>
#include <cstdint>

namespace gk {

// One operation on one micro-batch, or a share of it.
struct Work {
  const void* const* inputs;  // first image of the micro-batch in each value
  void* const* outputs;
  int images;    // wanted, 1 .. capacity; what the others hold does not matter
  int capacity;  // the stride of GK_LANES and GK_ROWS
  int begin;     // rows of the outermost axis of the output: begin .. end - 1
  int end;
  int part;  // this worker's share of the work, 0 .. parts - 1
  int parts;
  void* scratch;    // scratch_bytes(), aligned to 64, of this worker
  uint8_t* finite;  // [images], cleared where a stored value is NaN or infinite
};

class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  // Runs on any worker; the bits of an output depend on neither images, begin, end nor parts.
  virtual void run(const Work& work) const = 0;

  // Rows of the outermost axis of the output; 1 where it runs whole.
  virtual int rows() const { return 1; }
  // Bands begin at multiples of this, and end at one or at the last row.
  virtual int granularity() const { return 1; }
  // Whether several workers can share one call (Work::parts above 1).
  virtual bool divisible() const { return false; }
  virtual size_t scratch_bytes() const { return 0; }
  virtual size_t weight_bytes() const { return 0; }
};

}  // namespace gk
