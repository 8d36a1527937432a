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

// How long a worker looks out for the next job, and for the others, before it sleeps.
constexpr std::chrono::microseconds kBetweenJobs{100};
constexpr std::chrono::microseconds kAtMeetings{200};
constexpr int kClosed = 1 << 20;

}  // namespace

struct Pool::Crew {
  ~Crew();
  void start(int size);
  void call(const std::function<void(int)>& job, int worker) noexcept;

  std::mutex running;
  std::vector<std::thread> threads;
  Seats seats;
  Event begun;
  Event ended;
  // Workers in the job, and whether more may come.
  std::atomic<int> inside{kClosed};
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

void Pool::Crew::start(int size) {
  threads.reserve(size - 1);
  while (static_cast<int>(threads.size()) < size - 1) {
    const int worker = static_cast<int>(threads.size()) + 1;
    threads.emplace_back([this, worker, seen = begun.count()]() mutable {
      for (;;) {
        begun.wait(seen, kBetweenJobs);
        if (stopping) return;
        seen = begun.count();
        if (inside.fetch_add(1) < kClosed) call(*job, worker);
        // The last to go.
        if ((inside.fetch_sub(1) & ~kClosed) == 1) ended.advance();
      }
    });
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

Pool::Pool(int size) : size_(size) {
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
  crew.start(size_);
  const Seats::Taken taken(crew.seats, crew.threads);
  crew.job = &job;
  crew.inside -= kClosed;
  crew.begun.advance();
  crew.call(job, 0);
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
