#include "moves/embedding.h"

#include <algorithm>

namespace gk {

Embedding::Embedding(Description& description, const Target& target)
    : kernels_(target.kernels.moves), lanes_(description.output(0).form == GK_LANES) {
  description.expect_values(1, 1);
  const gk_value& labels = description.input(0);
  const gk_value& output = description.output(0);
  description.expect(labels, GK_INDEX, Description::kAny, Description::kAny);
  description.expect(output, lanes_ ? GK_LANES : GK_PLAIN, Description::kAny, Description::kAny);
  if (output.space != GK_ARENA) description.refuse("writes to the arena only; convert from there");
  check_capacity(description, target);
  const int64_t positions = elements(labels);
  const Floats table = description.any_array();
  const int64_t size = positions > 0 ? elements(output) / positions : 0;
  if (size == 0 || size * positions != elements(output) || table.size % size != 0) {
    description.refuse("labels, table and output do not agree");
  }
  table_ = Buffer<float>(static_cast<size_t>(table.size));
  std::copy(table.data, table.data + table.size, table_.data());
  lookup_ = {table_.data(), table.size / size, size, positions, lanes_ ? 1 : elements(output),
             lanes_ ? target.capacity : 1};
}

void Embedding::run(const Work& work) const {
  const Share share = share_of(0, lookup_.positions, work);
  kernels_.look_up(lookup_, static_cast<const int64_t*>(work.inputs[0]),
                   static_cast<float*>(work.outputs[0]), work.images, share.begin, share.end);
}

}  // namespace gk
