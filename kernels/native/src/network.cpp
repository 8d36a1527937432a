#include "network.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>

#include "place.h"
#include "processor.h"

namespace gk {
namespace {

constexpr int kMostValues = 8;

// The first image of a micro-batch in a value.
std::byte* locate(const gk_value& value, std::byte* arena, const void* const* inputs,
                  void* const* outputs, int64_t first) {
  if (value.space == GK_ARENA) return arena + value.offset;
  const void* base = value.space == GK_INPUT ? inputs[value.offset] : outputs[value.offset];
  auto* bytes = const_cast<std::byte*>(static_cast<const std::byte*>(base));
  return bytes + first * image_bytes(value);
}

}  // namespace

Network::Network(const gk_options& options)
    : kernels_(choose_kernels(options.instruction_set)),
      capacity_(options.capacity),
      team_(options.team != 0),
      arena_bytes_(options.arena_bytes),
      pool_(options.threads) {
  if (capacity_ < 1) throw std::invalid_argument("capacity must be at least 1");
  if (arena_bytes_ < 0) throw std::invalid_argument("arena_bytes must be at least 0");
}

int Network::add(const gk_operation& operation) {
  if (!workspaces_.empty()) throw std::invalid_argument("the network has run; it cannot grow");
  if (operation.input_count > kMostValues || operation.output_count > kMostValues) {
    throw std::invalid_argument(std::string(operation.name) + ": more than " +
                                std::to_string(kMostValues) + " inputs or outputs");
  }
  for (int i = 0; i < operation.input_count; ++i) {
    check_place(operation.inputs[i], capacity_, arena_bytes_);
  }
  for (int i = 0; i < operation.output_count; ++i) {
    check_place(operation.outputs[i], capacity_, arena_bytes_);
    if (operation.outputs[i].space == GK_INPUT) {
      throw std::invalid_argument(std::string(operation.name) + " writes to an input");
    }
  }
  Step step{make_operation(operation, {kernels_, capacity_}),
            {operation.inputs, operation.inputs + operation.input_count},
            {operation.outputs, operation.outputs + operation.output_count}};
  steps_.push_back(std::move(step));
  return static_cast<int>(steps_.size()) - 1;
}

void Network::schedule(const gk_item* items, int count) {
  if (!workspaces_.empty()) throw std::invalid_argument("the network has run; its order stays");
  for (int i = 0; i < count; ++i) {
    const gk_item& item = items[i];
    if (item.operation < 0 || item.operation >= static_cast<int>(steps_.size()) ||
        item.begin < 0 || item.begin > item.end ||
        item.end > steps_[item.operation].operation->rows()) {
      throw std::invalid_argument("item " + std::to_string(i) + " names no rows of an operation");
    }
    const int step = granularity(item.operation);
    if (item.begin % step ||
        (item.end % step && item.end != steps_[item.operation].operation->rows())) {
      throw std::invalid_argument("item " + std::to_string(i) + " begins or ends within " +
                                  std::to_string(step) + " rows that go together");
    }
  }
  items_.assign(items, items + count);
}

void Network::prepare() {
  if (items_.empty()) {
    std::vector<gk_item> items;
    for (size_t i = 0; i < steps_.size(); ++i) {
      items.push_back({static_cast<int32_t>(i), 0, steps_[i].operation->rows()});
    }
    // At once: a process that is forked meanwhile begins again.
    items_ = std::move(items);
  }
  size_t scratch = 0;
  for (const Step& step : steps_) scratch = std::max(scratch, step.operation->scratch_bytes());
  std::vector<Workspace> made(pool_.size());
  for (size_t i = 0; i < made.size(); ++i) {
    // A team shares one arena.
    if (i == 0 || !team_) made[i].arena = Buffer<std::byte>(arena_bytes_);
    made[i].scratch = Buffer<std::byte>(scratch);
  }
  workspaces_ = std::move(made);
}

void Network::run(int64_t images, const void* const* inputs, void* const* outputs,
                  uint8_t* finite) {
  const auto lock = pool_.lock();
  if (workspaces_.empty()) prepare();
  std::fill(finite, finite + images, uint8_t{1});
  const Arguments arguments{inputs, outputs, finite};
  if (team_) {
    run_team(images, arguments);
  } else {
    run_workers(images, arguments);
  }
}

void Network::run_item(const gk_item& item, const MicroBatch& batch, const Arguments& arguments,
                       std::byte* arena, std::byte* scratch, int part, int parts) const {
  const Step& step = steps_[item.operation];
  const void* inputs[kMostValues];
  void* outputs[kMostValues];
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    inputs[i] =
        locate(step.inputs[i], arena, arguments.inputs, arguments.outputs, batch.first);
  }
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    outputs[i] =
        locate(step.outputs[i], arena, arguments.inputs, arguments.outputs, batch.first);
  }
  step.operation->run({inputs, outputs, batch.images, capacity_, item.begin, item.end, part,
                       parts, scratch, arguments.finite + batch.first});
}

void Network::run_workers(int64_t images, const Arguments& arguments) {
  std::atomic<int64_t> next{0};
  const auto job = [&](int worker) {
    const Prepared prepared(kernels_);
    Workspace& workspace = workspaces_[worker];
    for (;;) {
      const int64_t first = next.fetch_add(capacity_);
      if (first >= images) return;
      const MicroBatch batch{first, static_cast<int>(std::min<int64_t>(capacity_, images - first))};
      for (const gk_item& item : items_) {
        run_item(item, batch, arguments, workspace.arena.data(), workspace.scratch.data(), 0, 1);
      }
    }
  };
  // One micro-batch is one worker's: nobody else need wake.
  if (images <= capacity_) return job(0);
  pool_.run(job);
}

void Network::run_team(int64_t images, const Arguments& arguments) {
  const int64_t batches = (images + capacity_ - 1) / capacity_;
  Steps steps(static_cast<size_t>(batches) * items_.size());
  pool_.run([&](int worker) {
    try {
      run_member(images, arguments, steps, worker);
    } catch (...) {
      steps.abandon();
      throw;
    }
  });
}

void Network::run_member(int64_t images, const Arguments& arguments, Steps& steps, int worker) {
  const Prepared prepared(kernels_);
  size_t step = 0;
  for (int64_t first = 0; first < images; first += capacity_) {
    const MicroBatch batch{first, static_cast<int>(std::min<int64_t>(capacity_, images - first))};
    for (const gk_item& item : items_) {
      const int parts = steps_[item.operation].operation->divisible() ? pool_.size() : 1;
      const auto run_part = [&](int part) {
        run_item(item, batch, arguments, workspaces_[0].arena.data(),
                 workspaces_[worker].scratch.data(), part, parts);
      };
      if (!steps.run(step++, parts, run_part)) return;
    }
  }
}

int Network::granularity(int operation) const {
  if (operation < 0 || operation >= static_cast<int>(steps_.size())) {
    throw std::invalid_argument("there is no operation " + std::to_string(operation));
  }
  return steps_[operation].operation->granularity();
}

int64_t Network::weight_bytes() const {
  int64_t bytes = 0;
  for (const Step& step : steps_) bytes += step.operation->weight_bytes();
  return bytes;
}

int64_t Network::workspace_bytes() const {
  size_t scratch = 0;
  for (const Step& step : steps_) scratch = std::max(scratch, step.operation->scratch_bytes());
  const int64_t arenas = team_ ? 1 : pool_.size();
  return arenas * arena_bytes_ + static_cast<int64_t>(scratch) * pool_.size();
}

}  // namespace gk
