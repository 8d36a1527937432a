#include "pool.h"

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "affinity.h"
#include "limits.h"
#include "process.h"

namespace gk {
namespace {

// How long one of a team looks out for the next job, and for the others, before it sleeps; and one
// that has a processor to itself, which would keep the caller from it.
constexpr std::chrono::microseconds kBetweenJobs{100};
constexpr std::chrono::microseconds kAtMeetings{200};
constexpr std::chrono::microseconds kApart{0};
constexpr int kClosed = 1 << 20;

}  // namespace

struct Pool::Crew {
  ~Crew();
  void start(int size, Caller caller);
  // Until `job` is done by those who came.
  void await();
  void call(const std::function<void(int)>& job, int worker) noexcept;

  std::mutex running;
  std::vector<std::thread> threads;
  Event begun;
  Event ended;
  // Workers in the job, and whether more may come.
  std::atomic<int> inside{kClosed};
  // Whether one of the threads has done the job.
  std::atomic<bool> served{false};
  std::atomic<bool> stopping{false};
  const std::function<void(int)>* job = nullptr;
  std::mutex failing;
  std::exception_ptr failure;
};

Pool::Crew::~Crew() {
  stopping = true;
  begun.advance();
  for (std::thread& thread : threads) thread.join();
}

void Pool::Crew::start(int size, Caller caller) {
  const int first = caller == Caller::kWorks ? 1 : 0;
  threads.reserve(size - first);
  while (static_cast<int>(threads.size()) < size - first) {
    const int worker = static_cast<int>(threads.size()) + first;
    threads.emplace_back([this, worker, size, caller, seen = begun.count()]() mutable {
      if (caller == Caller::kSleeps) keep_to_processor(worker, size);
      for (;;) {
        begun.wait(seen, caller == Caller::kWorks ? kBetweenJobs : kApart);
        if (stopping) return;
        seen = begun.count();
        if (inside.fetch_add(1) < kClosed) {
          call(*job, worker);
          served = true;
        }
        // The last to go.
        if ((inside.fetch_sub(1) & ~kClosed) == 1) ended.advance();
      }
    });
  }
}

void Pool::Crew::await() {
  for (;;) {
    const uint32_t seen = ended.count();
    if (served && inside == 0) return;
    ended.wait(seen, kApart);
  }
}

void Pool::Crew::call(const std::function<void(int)>& called, int worker) noexcept {
  try {
    called(worker);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(failing);
    if (!failure) failure = std::current_exception();
  }
}

Pool::Pool(int size, Caller caller) : size_(size), caller_(caller) {
  if (size < 1 || size > kMostThreads) {
    throw std::invalid_argument("threads must be 1 .. " + std::to_string(kMostThreads));
  }
}

Pool::~Pool() {
  // Another process's threads cannot be joined, and its locks may be held: they are left alone.
  if (owner_.load() != this_process()) crew_.release();
}

Pool::Crew& Pool::crew() {
  const int64_t process = this_process();
  int64_t owner = owner_.load();
  while (owner != process) {
    if (owner == -process) {
      std::this_thread::yield();
      owner = owner_.load();
      continue;
    }
    if (!owner_.compare_exchange_strong(owner, -process)) continue;
    crew_.release();
    try {
      crew_ = std::make_unique<Crew>();
    } catch (...) {
      owner_.store(0);
      throw;
    }
    owner_.store(process);
    owner = process;
  }
  return *crew_;
}

std::unique_lock<std::mutex> Pool::lock() { return std::unique_lock<std::mutex>(crew().running); }

void Pool::run(const std::function<void(int)>& job) {
  if (size_ == 1) return job(0);
  Crew& crew = this->crew();
  crew.start(size_, caller_);
  crew.job = &job;
  crew.served = false;
  crew.inside -= kClosed;
  crew.begun.advance();
  if (caller_ == Caller::kWorks) {
    crew.call(job, 0);
  } else {
    crew.await();
  }
  // Who has not come by now is not waited for.
  crew.inside += kClosed;
  for (;;) {
    const uint32_t ended = crew.ended.count();
    if (crew.inside == kClosed) break;
    crew.ended.wait(ended, kAtMeetings);
  }
  if (crew.failure) std::rethrow_exception(std::exchange(crew.failure, nullptr));
}

bool Steps::wait(const Step& step, int parts) {
  for (;;) {
    const uint32_t seen = ended_.count();
    if (abandoned_) return false;
    if (step.done == parts) return true;
    ended_.wait(seen, kAtMeetings);
  }
}

void Steps::abandon() {
  abandoned_ = true;
  ended_.advance();
}

}  // namespace gk
