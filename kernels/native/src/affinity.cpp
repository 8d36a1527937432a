#include "affinity.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace gk {

#if defined(__linux__)

void keep_to_processor(int worker, int workers) {
  cpu_set_t usable;
  // On machines with more processors than the set has room for, threads are left to the system.
  if (sched_getaffinity(0, sizeof usable, &usable) || CPU_COUNT(&usable) != workers) return;
  for (int processor = 0, skipped = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &usable) || skipped++ < worker) continue;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(processor, &own);
    // No more than a wish: where it is refused, the thread runs where it may.
    sched_setaffinity(0, sizeof own, &own);
    return;
  }
}

#else

void keep_to_processor(int, int) {}

#endif

}  // namespace gk
