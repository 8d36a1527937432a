#include "process.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

namespace gk {
namespace {

// Of this process and its ancestors, since the library was loaded.
std::atomic<uint32_t> forks{0};

[[maybe_unused]] const int counted = pthread_atfork(nullptr, nullptr, [] { ++forks; });

}  // namespace

int64_t this_process() {
  // The id too: a child that was made past the C library is not counted.
  return int64_t{forks.load() & 0x7fffffff} << 32 | static_cast<uint32_t>(getpid());
}

}  // namespace gk
