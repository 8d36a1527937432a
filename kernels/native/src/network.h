// A network of operations: packed weights, an order of work, and workers that run micro-batches.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "../include/generator_kernels.h"
#include "memory.h"
#include "operation.h"
#include "pool.h"
#include "registry.h"

namespace gk {

class Network {
 public:
  explicit Network(const gk_options& options);

  int add(const gk_operation& operation);
  void schedule(const gk_item* items, int count);
  void run(int64_t images, const void* const* inputs, void* const* outputs, uint8_t* finite);
  int granularity(int operation) const;
  int64_t weight_bytes() const;
  int64_t workspace_bytes() const;

 private:
  struct Step {
    std::unique_ptr<Operation> operation;
    std::vector<gk_value> inputs;
    std::vector<gk_value> outputs;
    bool empty;  // no output has an element
  };
  // One micro-batch: its first image, and how many there are.
  struct MicroBatch {
    int64_t first;
    int images;
  };
  struct Arguments {
    const void* const* inputs;
    void* const* outputs;
    uint8_t* finite;
  };
  // The memory of one worker.
  struct Workspace {
    Buffer<std::byte> arena;
    Buffer<std::byte> scratch;
  };

  void prepare();
  void check_run(int64_t images, const Arguments& arguments) const;
  // Calls job(0) .. job(workers - 1), on the caller's threads if it lends some.
  void run_together(int workers, const std::function<void(int)>& job);
  void run_item(const gk_item& item, const MicroBatch& batch, const Arguments& arguments,
                std::byte* arena, std::byte* scratch, int part, int parts) const;
  // How many images workers take in whole micro-batches of their own; they share the rest.
  int64_t images_alone(int64_t images) const;
  void run_workers(int64_t images, const Arguments& arguments);
  // Images first .. last - 1, which workers share.
  void run_team(int64_t first, int64_t last, const Arguments& arguments);
  // The same for one worker.
  void run_member(int64_t first, int64_t last, const Arguments& arguments, Steps& steps,
                  int worker);

  const Kernels& kernels_;
  const int capacity_;
  const bool team_;
  const int64_t arena_bytes_;
  const gk_parallel parallel_;
  void* const context_;
  std::vector<Step> steps_;
  std::vector<gk_item> items_;
  std::vector<Workspace> workspaces_;
  Pool pool_;
};

}  // namespace gk
