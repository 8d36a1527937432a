// Where threads run.

#pragma once

namespace gk {

// Keeps the calling thread to one processor if there are as many `workers` as processors that it
// may use: one for each, so that no two wait for the same while others want processors too.
void keep_to_processor(int worker, int workers);

}  // namespace gk
