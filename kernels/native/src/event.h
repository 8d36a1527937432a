// A count that threads wait for: watched for a moment, then slept on.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace gk {

class Event {
 public:
  uint32_t count() const { return count_.load(); }
  // The next count; all who wait go on.
  void advance();
  // Returns when the count is not `seen`. Watches it for `watched`, which costs a core that time
  // but saves what waking a thread takes, then sleeps; sleeps at once while others want the core.
  void wait(uint32_t seen, std::chrono::microseconds watched);

 private:
  // Whether the count changed within the time.
  bool watch(uint32_t seen, std::chrono::microseconds watched);

  std::atomic<uint32_t> count_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<int> unwatched_{0};  // waits to come, roughly: threads that meet may miscount
  std::mutex mutex_;
  std::condition_variable advanced_;
};

}  // namespace gk
