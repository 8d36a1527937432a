// The caller's threads, instead of a pool's.

#pragma once

#include <functional>

#include "../include/generator_kernels.h"

namespace gk {

// Runs job(0) .. job(tasks - 1), each once, on whichever threads the caller's function has, and
// returns when it does. Throws what a task threw first, and std::runtime_error if some were not done.
void run_borrowed(gk_parallel parallel, void* context, int tasks,
                  const std::function<void(int)>& job);

}  // namespace gk
