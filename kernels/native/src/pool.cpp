#include "pool.h"

#include <unistd.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace gk {
namespace {

// How long a worker looks out for the next job, and for the others, before it sleeps.
constexpr std::chrono::microseconds kBetweenJobs{100};
constexpr std::chrono::microseconds kAtMeetings{200};

}  // namespace

struct Pool::Crew {
  ~Crew();
  void start(int size);
  void call(const std::function<void(int)>& job, int worker) noexcept;

  std::mutex running;
  std::vector<std::thread> threads;
  Event begun;
  Event ended;
  std::atomic<int> busy{0};
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
        ++seen;
        call(*job, worker);
        if (busy.fetch_sub(1) == 1) ended.advance();
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
  if (size < 1) throw std::invalid_argument("threads must be at least 1");
}

Pool::~Pool() {
  // Another process's threads cannot be joined, and its locks may be held: they are left alone.
  if (owner_.load() != getpid()) crew_.release();
}

Pool::Crew& Pool::crew() {
  const int64_t process = getpid();
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
  const uint32_t ended = crew.ended.count();
  crew.job = &job;
  crew.busy = size_ - 1;
  crew.begun.advance();
  crew.call(job, 0);
  crew.ended.wait(ended, kAtMeetings);
  if (crew.failure) std::rethrow_exception(std::exchange(crew.failure, nullptr));
}

bool Barrier::wait() {
  const uint32_t round = met_.count();
  if (abandoned_) return false;
  if (arrived_.fetch_add(1) + 1 == size_) {
    arrived_ = 0;
    met_.advance();
  } else {
    met_.wait(round, kAtMeetings);
  }
  return !abandoned_;
}

void Barrier::abandon() {
  abandoned_ = true;
  met_.advance();
}

}  // namespace gk
