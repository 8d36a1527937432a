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
// Who has the processor for so long between two looks is another program. It has it for a slice of
// milliseconds, and takes it from a waiter that watches, but gives it to one that is woken: so the
// next waits, of which so many follow, are slept through.
constexpr std::chrono::microseconds kSlice{300};
constexpr int kUnwatched = 100;

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

bool Event::watch(uint32_t seen, std::chrono::microseconds watched) {
  const Clock::time_point begin = Clock::now();
  for (Clock::time_point last = begin;;) {
    for (int look = 0; look < kLooks; ++look) {
      if (count() != seen) return true;
      pause();
    }
    const Clock::time_point now = Clock::now();
    if (now - last > kSlice) unwatched_.store(kUnwatched, std::memory_order_relaxed);
    if (now - begin > watched) return false;
    if (now - begin > kAlone) std::this_thread::yield();
    last = now;
  }
}

void Event::wait(uint32_t seen, std::chrono::microseconds watched) {
  if (count() != seen) return;
  if (unwatched_.load(std::memory_order_relaxed) > 0) {
    unwatched_.fetch_sub(1, std::memory_order_relaxed);
  } else if (watch(seen, watched)) {
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  advanced_.wait(lock, [&] { return count() != seen; });
  sleepers_.fetch_sub(1);
}

}  // namespace gk
