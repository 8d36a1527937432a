// Which process this is, for what a forked child must make anew.

#pragma once

#include <cstdint>

namespace gk {

// A positive number that no ancestor had: its id alone will not do, which a child in another
// namespace of processes can share with its parent.
int64_t this_process();

}  // namespace gk
