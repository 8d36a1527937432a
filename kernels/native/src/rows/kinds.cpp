#include "registry.h"
#include "rows/convolution.h"

namespace gk {
namespace {

constexpr Kind kKinds[] = {
    {"rows_convolution", make<RowsConvolution>},
};

}  // namespace

Kinds rows_kinds() { return {kKinds, sizeof kKinds / sizeof *kKinds}; }

}  // namespace gk
