// Threads that run one job together, and wait for each other.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "event.h"

namespace gk {

// A fixed number of workers; the calling thread is worker 0. Threads start with the first job. A
// forked child has none of its parent's threads, and locks may stand as other threads held them: so
// there everything is made anew.
class Pool {
 public:
  explicit Pool(int size);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }
  // To be held while run is called: one caller at a time.
  std::unique_lock<std::mutex> lock();
  // Calls job(worker) on every worker and returns when all are done. Throws what a worker threw
  // first.
  void run(const std::function<void(int)>& job);

 private:
  struct Crew;
  // The threads and locks of this process.
  Crew& crew();

  const int size_;
  // The process whose crew it is; negative while that process makes it.
  std::atomic<int64_t> owner_{0};
  std::unique_ptr<Crew> crew_;
};

// Lets `size` threads meet, again and again.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  // Returns true when all have come, false if one never will.
  bool wait();
  // Lets all go on, now and later: one of them has failed.
  void abandon();

 private:
  const int size_;
  std::atomic<int> arrived_{0};
  std::atomic<bool> abandoned_{false};
  Event met_;
};

}  // namespace gk
