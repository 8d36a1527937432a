#include "affinity.h"

#if defined(__linux__)
#include <pthread.h>
#endif

namespace gk {

#if defined(__linux__)

namespace {

cpu_set_t just(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return set;
}

}  // namespace

// Where a wish is refused, a thread runs where it may.

Seats::Taken::Taken(Seats& seats, std::vector<std::thread>& helpers) {
  if (sched_getaffinity(0, sizeof usable_, &usable_)) return;
  if (CPU_COUNT(&usable_) != static_cast<int>(helpers.size()) + 1) return;
  const int caller = sched_getcpu();
  if (caller < 0 || caller >= CPU_SETSIZE || !CPU_ISSET(caller, &usable_)) return;
  if (caller != seats.caller_ || !CPU_EQUAL(&usable_, &seats.usable_)) {
    int processor = 0;
    for (std::thread& helper : helpers) {
      while (!CPU_ISSET(processor, &usable_) || processor == caller) ++processor;
      const cpu_set_t own = just(processor++);
      pthread_setaffinity_np(helper.native_handle(), sizeof own, &own);
    }
    seats.caller_ = caller;
    seats.usable_ = usable_;
  }
  const cpu_set_t own = just(caller);
  kept_ = sched_setaffinity(0, sizeof own, &own) == 0;
}

Seats::Taken::~Taken() {
  if (kept_) sched_setaffinity(0, sizeof usable_, &usable_);
}

#else

Seats::Taken::Taken(Seats&, std::vector<std::thread>&) {}
Seats::Taken::~Taken() {}

#endif

}  // namespace gk
