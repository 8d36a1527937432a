// Where threads run: one to a processor, if there are exactly as many as processors that the process
// may use. Elsewhere, and on machines with more processors than sets of them have room for, threads
// are left to the system.

#pragma once

#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace gk {

// The processors of a team: the caller's for the caller, and another for each thread that helps it.
class Seats {
 public:
  // Keeps the helpers to theirs, and the caller to its own as long as `Taken` lives. Else the
  // system, to which one that waits looks idle, moves the caller to a helper's processor.
  class Taken {
   public:
    Taken(Seats& seats, std::vector<std::thread>& helpers);
    ~Taken();
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

   private:
#if defined(__linux__)
    cpu_set_t usable_;
#endif
    bool kept_ = false;
  };

 private:
#if defined(__linux__)
  // As the helpers were seated last.
  cpu_set_t usable_{};
  int caller_ = -1;
#endif
};

}  // namespace gk
