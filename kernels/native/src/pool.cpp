#include "pool.h"

#include <stdexcept>

namespace gk {

Pool::Pool(int size) : size_(size) {
  if (size < 1) throw std::invalid_argument("threads must be at least 1");
}

Pool::~Pool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::start() {
  for (int worker = static_cast<int>(threads_.size()) + 1; worker < size_; ++worker) {
    threads_.emplace_back(&Pool::work, this, worker);
  }
}

void Pool::run(const std::function<void(int)>& job) {
  if (size_ == 1) return job(0);
  start();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = &job;
    busy_ = size_ - 1;
    ++round_;
  }
  begun_.notify_all();
  job(0);
  std::unique_lock<std::mutex> lock(mutex_);
  ended_.wait(lock, [this] { return busy_ == 0; });
}

void Pool::work(int worker) {
  int64_t seen = 0;
  for (;;) {
    const std::function<void(int)>* job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      begun_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      job = job_;
    }
    (*job)(worker);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      --busy_;
    }
    ended_.notify_one();
  }
}

void Barrier::wait() {
  const int round = round_.load();
  if (arrived_.fetch_add(1) + 1 == size_) {
    arrived_.store(0);
    round_.store(round + 1);
    return;
  }
  while (round_.load() == round) std::this_thread::yield();
}

}  // namespace gk
