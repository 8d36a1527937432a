#include "network.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <stdexcept>
#include <string>

#include "borrowed.h"
#include "limits.h"
#include "place.h"
#include "processor.h"

namespace gk {
namespace {

constexpr int kMostValues = 8;
// Steps that a team counts at a time; each takes a few bytes.
constexpr size_t kMostSteps = 1 << 16;
// Workers share images in vectors of so many, and what that costs: they wait for each other, and
// read what others have written.
constexpr int64_t kSharedImages = 16;
constexpr double kSharingCost = 1.2;

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
      parallel_(options.parallel),
      context_(options.context),
      pool_(options.threads) {
  if (capacity_ < 1 || capacity_ > kMostCapacity) {
    throw std::invalid_argument("capacity must be 1 .. " + std::to_string(kMostCapacity));
  }
  if (arena_bytes_ < 0 || arena_bytes_ > kMostBytes) {
    throw std::invalid_argument("arena_bytes must be 0 .. " + std::to_string(kMostBytes));
  }
}

int Network::add(const gk_operation& operation) {
  if (!workspaces_.empty()) throw std::invalid_argument("the network has run; it cannot grow");
  const Description description(operation);
  if (operation.input_count > kMostValues || operation.output_count > kMostValues) {
    description.refuse("more than " + std::to_string(kMostValues) + " inputs or outputs");
  }
  for (int i = 0; i < operation.input_count; ++i) {
    check_place(operation.inputs[i], capacity_, arena_bytes_);
  }
  for (int i = 0; i < operation.output_count; ++i) {
    check_place(operation.outputs[i], capacity_, arena_bytes_);
    if (operation.outputs[i].space == GK_INPUT) description.refuse("writes to an input");
  }
  Step step{make_operation(operation, {kernels_, capacity_}),
            {operation.inputs, operation.inputs + operation.input_count},
            {operation.outputs, operation.outputs + operation.output_count},
            true};
  for (const gk_value& value : step.outputs) step.empty &= value.positions * value.channels == 0;
  steps_.push_back(std::move(step));
  return static_cast<int>(steps_.size()) - 1;
}

void Network::schedule(const gk_item* items, int count) {
  if (!workspaces_.empty()) throw std::invalid_argument("the network has run; its order stays");
  if (count < 0 || (count > 0 && !items)) {
    throw std::invalid_argument("the order has " + std::to_string(count) + " items, or none");
  }
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
  std::vector<gk_item> items = items_;
  for (size_t i = 0; items_.empty() && i < steps_.size(); ++i) {
    items.push_back({static_cast<int32_t>(i), 0, steps_[i].operation->rows()});
  }
  size_t scratch = 0;
  for (const Step& step : steps_) scratch = std::max(scratch, step.operation->scratch_bytes());
  std::vector<Workspace> made(pool_.size());
  for (size_t i = 0; i < made.size(); ++i) {
    // A team shares one arena.
    if (i == 0 || !team_) made[i].arena = Buffer<std::byte>(arena_bytes_);
    made[i].scratch = Buffer<std::byte>(scratch);
  }
  // At the end: where memory is short nothing has changed, and a process that is forked meanwhile
  // begins again.
  items_ = std::move(items);
  workspaces_ = std::move(made);
}

void Network::check_run(int64_t images, const Arguments& arguments) const {
  if (images < 0 || images > kMostBytes) {
    throw std::invalid_argument(std::to_string(images) + " images");
  }
  if (images == 0) return;
  if (!arguments.finite) throw std::invalid_argument("finite is a null pointer");
  const auto check = [&](const gk_value& value) {
    if (value.space == GK_ARENA) return;
    const bool input = value.space == GK_INPUT;
    const bool there = input ? arguments.inputs && arguments.inputs[value.offset]
                             : arguments.outputs && arguments.outputs[value.offset];
    const int64_t bytes = image_bytes(value);
    const std::string name = (input ? "input " : "output ") + std::to_string(value.offset);
    if (!there && bytes > 0) throw std::invalid_argument(name + " is a null pointer");
    if (bytes > 0 && images > std::numeric_limits<int64_t>::max() / bytes) {
      throw std::invalid_argument(name + " of " + std::to_string(images) + " images is too large");
    }
  };
  for (const Step& step : steps_) {
    for (const gk_value& value : step.inputs) check(value);
    for (const gk_value& value : step.outputs) check(value);
  }
}

void Network::run(int64_t images, const void* const* inputs, void* const* outputs,
                  uint8_t* finite) {
  const Arguments arguments{inputs, outputs, finite};
  check_run(images, arguments);
  const auto lock = pool_.lock();
  if (workspaces_.empty()) prepare();
  std::fill(finite, finite + images, uint8_t{1});
  const int64_t alone = team_ ? 0 : images_alone(images);
  if (alone > 0) run_workers(alone, arguments);
  if (alone < images) run_team(alone, images, arguments);
}

int64_t Network::images_alone(int64_t images) const {
  if (pool_.size() == 1) return images;
  const int64_t together = int64_t{capacity_} * pool_.size();
  const int64_t left = images % together;
  // What is left takes as long as a whole micro-batch, or a part of all that is there.
  const int64_t vectors = (left + kSharedImages - 1) / kSharedImages;
  const bool shared = vectors * kSharedImages * kSharingCost < static_cast<double>(together);
  return shared ? images - left : images;
}

void Network::run_item(const gk_item& item, const MicroBatch& batch, const Arguments& arguments,
                       std::byte* arena, std::byte* scratch, int part, int parts) const {
  const Step& step = steps_[item.operation];
  if (step.empty) return;
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
  const int64_t batches = (images - 1) / capacity_ + 1;
  run_together(static_cast<int>(std::min<int64_t>(pool_.size(), batches)), job);
}

void Network::run_together(int workers, const std::function<void(int)>& job) {
  // Those of the pool beyond `workers` find nothing to do.
  parallel_ ? run_borrowed(parallel_, context_, workers, job) : pool_.run(job);
}

void Network::run_team(int64_t begin, int64_t end, const Arguments& arguments) {
  if (items_.empty()) return;
  const size_t together = std::max<size_t>(kMostSteps / items_.size(), 1);
  const int64_t span = static_cast<int64_t>(together) * capacity_;
  for (int64_t first = begin; first < end; first += std::min(span, end - first)) {
    const int64_t last = first + std::min(span, end - first);
    Steps steps(static_cast<size_t>((last - first - 1) / capacity_ + 1) * items_.size());
    run_together(pool_.size(), [&](int worker) {
      try {
        run_member(first, last, arguments, steps, worker);
      } catch (...) {
        steps.abandon();
        throw;
      }
    });
  }
}

void Network::run_member(int64_t first, int64_t last, const Arguments& arguments, Steps& steps,
                         int worker) {
  const Prepared prepared(kernels_);
  size_t step = 0;
  for (; first < last; first += capacity_) {
    const MicroBatch batch{first, static_cast<int>(std::min<int64_t>(capacity_, last - first))};
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
