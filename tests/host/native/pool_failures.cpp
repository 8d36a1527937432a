// What a worker throws reaches the caller, whichever it is, and the pool goes on. Exits with 0.

#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "pool.h"

namespace {

// Worker `failing` fails between two meetings of all; gives what the caller was told.
std::string fail(gk::Pool& pool, int failing) {
  gk::Barrier barrier(pool.size());
  const auto lock = pool.lock();
  try {
    pool.run([&](int worker) {
      for (int i = 0; i < 100; ++i) {
        if (worker == failing && i == 50) {
          barrier.abandon();
          throw std::runtime_error("worker " + std::to_string(worker));
        }
        if (!barrier.wait()) return;
      }
    });
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing";
}

// Every worker sees what all did before each meeting.
bool meet(gk::Pool& pool) {
  gk::Barrier barrier(pool.size());
  std::atomic<int> wrong{0};
  int sum = 0;
  const auto lock = pool.lock();
  pool.run([&](int worker) {
    for (int i = 0; i < 300; ++i) {
      if (i % pool.size() == worker) ++sum;
      if (!barrier.wait() || sum != i + 1) ++wrong;
      if (!barrier.wait()) ++wrong;
    }
  });
  return wrong == 0;
}

}  // namespace

int main() {
  for (int size = 1; size <= 4; ++size) {
    gk::Pool pool(size);
    for (int failing = 0; failing < size; ++failing) {
      const std::string told = fail(pool, failing);
      if (told != "worker " + std::to_string(failing)) {
        std::printf("%d workers, %d fails: %s\n", size, failing, told.c_str());
        return 1;
      }
      if (!meet(pool)) {
        std::printf("%d workers do not meet\n", size);
        return 1;
      }
    }
  }
  return 0;
}
