// What a worker throws reaches the caller, whoever it is; steps are done once, one after the other,
// by whichever workers come; and the pool goes on. Exits with 0.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "pool.h"

namespace {

constexpr int kSteps = 200;

// Part `failing` of a step fails; gives what the caller was told.
std::string fail(gk::Pool& pool, int failing) {
  gk::Steps steps(kSteps);
  const auto lock = pool.lock();
  try {
    pool.run([&](int) {
      try {
        for (int step = 0; step < kSteps; ++step) {
          const auto part = [&](int i) {
            if (step == kSteps / 2 && i == failing) {
              throw std::runtime_error("part " + std::to_string(i));
            }
          };
          if (!steps.run(step, pool.size(), part)) return;
        }
      } catch (...) {
        steps.abandon();
        throw;
      }
    });
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing";
}

// Each part reads what all parts of the step before wrote.
bool follow(gk::Pool& pool) {
  const int parts = pool.size() + 1;
  gk::Steps steps(kSteps);
  std::vector<std::vector<int>> made(kSteps + 1, std::vector<int>(parts, 0));
  const auto lock = pool.lock();
  pool.run([&](int) {
    for (int step = 0; step < kSteps; ++step) {
      const auto part = [&](int i) {
        int sum = 1;
        for (int before = 0; before < parts; ++before) sum += made[step][before] == step;
        made[step + 1][i] += sum == parts + 1 ? step + 1 : -1;
      };
      if (!steps.run(step, parts, part)) return;
    }
  });
  for (const int last : made[kSteps]) {
    if (last != kSteps) return false;
  }
  return true;
}

int check(int size) {
  gk::Pool pool(size);
  for (int failing = 0; failing < size; ++failing) {
    const std::string told = fail(pool, failing);
    if (told != "part " + std::to_string(failing)) {
      std::printf("%d workers, part %d fails: %s\n", size, failing, told.c_str());
      return 1;
    }
    for (int i = 0; i < 20; ++i) {
      if (follow(pool)) continue;
      std::printf("%d workers: steps do not follow each other\n", size);
      return 1;
    }
  }
  return 0;
}

// Jobs with pauses for which the workers sleep, and without: none is left undone, or done by a
// worker that there is not.
int check_jobs(int size) {
  gk::Pool pool(size);
  const auto lock = pool.lock();
  for (int job = 0; job < 300; ++job) {
    std::atomic<int> taken{0};
    std::vector<int> done(10, 0);
    std::atomic<int> strangers{0};
    pool.run([&](int worker) {
      strangers += worker < 0 || worker >= size;
      for (int i = taken++; i < 10; i = taken++) ++done[i];
    });
    for (const int times : done) {
      if (times == 1 && strangers == 0) continue;
      std::printf("%d workers: job %d is left undone, or done by others\n", size, job);
      return 1;
    }
    if (job % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return 0;
}

}  // namespace

int main() {
  for (int size = 1; size <= 4; ++size) {
    if (check(size) || check_jobs(size)) return 1;
  }
  return 0;
}
