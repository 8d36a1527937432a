#include "moves/convert.h"
#include "moves/embedding.h"
#include "moves/rearrange.h"

namespace gk {
namespace {

constexpr Kind kKinds[] = {
    {"convert", make<Convert>},     {"concat", make<Concat>}, {"permute", make<Permute>},
    {"slice", make<Slice>},         {"pad", make<Pad>},       {"upsample", make<Upsample>},
    {"constant", make<Constant>},   {"embedding", make<Embedding>},
};

}  // namespace

Kinds moves_kinds() { return {kKinds, static_cast<int>(sizeof(kKinds) / sizeof(kKinds[0]))}; }

}  // namespace gk
