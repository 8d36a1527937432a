#include "registry.h"

#include <cstring>

namespace gk {

std::unique_ptr<Operation> make_operation(const gk_operation& operation, const Target& target) {
  Description description(operation);
  for (const Kinds& family : {moves_kinds(), maps_kinds(), reductions_kinds(), recurrent_kinds(),
                              lanes_kinds(), rows_kinds(), positions_kinds()}) {
    for (int i = 0; i < family.count; ++i) {
      if (std::strcmp(family.kinds[i].name, operation.kind) != 0) continue;
      auto made = family.kinds[i].make(description, target);
      description.finish();
      return made;
    }
  }
  description.refuse("no such kind of operation");
}

}  // namespace gk
