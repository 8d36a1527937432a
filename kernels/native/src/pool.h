// Threads that run one job together, and wait for each other.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "event.h"

namespace gk {

// A fixed number of workers. Threads start with the first job. A forked child has none of its
// parent's threads, and locks may stand as other threads held them: so there everything is made
// anew.
class Pool {
 public:
  explicit Pool(int size);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int size() const { return size_; }
  // To be held while run is called: one caller at a time.
  std::unique_lock<std::mutex> lock();
  // Calls job(0) on the calling thread, and job(worker) on every other that comes before all who came
  // are done with it; then returns. Throws what a worker threw first.
  void run(const std::function<void(int)>& job);

 private:
  struct Crew;
  // The threads and locks of this process.
  Crew& crew();

  const int size_;
  // this_process() whose crew it is; negative while that process makes it.
  std::atomic<int64_t> owner_{0};
  std::unique_ptr<Crew> crew_;
};

// Steps that workers do one after the other, each in parts: any worker does any part, so one that
// comes late, or not at all, keeps nobody waiting.
class Steps {
 public:
  explicit Steps(size_t count) : steps_(count) {}
  // Does parts of a step until none is left, and returns when all are done. Returns false if the
  // steps were abandoned.
  template <class Part>
  bool run(size_t step, int parts, const Part& part) {
    Step& at = steps_[step];
    for (int i = at.taken.fetch_add(1); i < parts; i = at.taken.fetch_add(1)) {
      part(i);
      if (at.done.fetch_add(1) + 1 == parts) ended_.advance();
    }
    return wait(at, parts);
  }
  // Lets all go on, now and later: one of them has failed.
  void abandon();

 private:
  struct Step {
    std::atomic<int> taken{0};
    std::atomic<int> done{0};
  };
  bool wait(const Step& step, int parts);

  std::vector<Step> steps_;
  std::atomic<bool> abandoned_{false};
  Event ended_;
};

}  // namespace gk
