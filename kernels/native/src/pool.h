// Threads that run one job together, and wait for each other.

#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gk {

// A fixed number of workers; the calling thread is worker 0. Threads start with the first job.
class Pool {
 public:
  explicit Pool(int size);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }
  // Calls job(worker) on every worker and returns when all are done. One call at a time.
  void run(const std::function<void(int)>& job);

 private:
  void start();
  void work(int worker);

  const int size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable begun_;
  std::condition_variable ended_;
  const std::function<void(int)>* job_ = nullptr;
  int64_t round_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};

// Lets `size` threads meet, again and again.
class Barrier {
 public:
  explicit Barrier(int size) : size_(size) {}
  void wait();

 private:
  const int size_;
  std::atomic<int> arrived_{0};
  std::atomic<int> round_{0};
};

}  // namespace gk
