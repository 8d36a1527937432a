#include "moves/convert.h"

namespace gk {
namespace {

constexpr Kind kKinds[] = {
    {"convert", make<Convert>},
};

}  // namespace

Kinds moves_kinds() { return {kKinds, static_cast<int>(sizeof(kKinds) / sizeof(kKinds[0]))}; }

}  // namespace gk
