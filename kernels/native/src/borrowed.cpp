#include "borrowed.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace gk {
namespace {

struct Job {
  const std::function<void(int)>& run;
  std::vector<std::atomic<bool>> begun;
  std::atomic<int> done{0};
  std::mutex failing;
  std::exception_ptr failure;
};

// A task that the caller repeats, or that there is not, is left out.
void run_task(void* given, int32_t task) {
  auto& job = *static_cast<Job*>(given);
  if (task < 0 || task >= static_cast<int32_t>(job.begun.size())) return;
  if (job.begun[task].exchange(true)) return;
  try {
    job.run(task);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(job.failing);
    if (!job.failure) job.failure = std::current_exception();
  }
  ++job.done;
}

}  // namespace

void run_borrowed(gk_parallel parallel, void* context, int tasks,
                  const std::function<void(int)>& run) {
  Job job{run, std::vector<std::atomic<bool>>(tasks), {}, {}, {}};
  parallel(context, tasks, run_task, &job);
  if (job.failure) std::rethrow_exception(job.failure);
  if (job.done != tasks) {
    throw std::runtime_error("the caller's threads did " + std::to_string(job.done) + " of " +
                             std::to_string(tasks) + " tasks");
  }
}

}  // namespace gk
