#include "event.h"

#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gk {
namespace {

using Clock = std::chrono::steady_clock;

// Threads on other cores come within this time; after it, one that wants this core may have it.
constexpr std::chrono::microseconds kAlone{5};
constexpr int kLooks = 16;  // between two looks at the clock

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// A waiter says that it sleeps, then looks at the count; here the count changes, then sleepers are
// looked at: one of the two sees the other.
void Event::advance() {
  count_.fetch_add(1);
  if (sleepers_.load() == 0) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  advanced_.notify_all();
}

void Event::wait(uint32_t seen, std::chrono::microseconds watched) {
  if (count() != seen) return;
  const Clock::time_point begin = Clock::now();
  for (;;) {
    for (int look = 0; look < kLooks; ++look) {
      if (count() != seen) return;
      pause();
    }
    const auto passed = Clock::now() - begin;
    if (passed > watched) break;
    if (passed > kAlone) std::this_thread::yield();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  advanced_.wait(lock, [&] { return count() != seen; });
  sleepers_.fetch_sub(1);
}

}  // namespace gk
