#include "registry.h"
#include "rows/convolution.h"
#include "rows/images.h"

namespace gk {
namespace {

constexpr Kind kKinds[] = {
    {"rows_convolution", make<RowsConvolution>},
    {"rows_images", make<RowsImages>},
};

}  // namespace

Kinds rows_kinds() { return {kKinds, sizeof kKinds / sizeof *kKinds}; }

}  // namespace gk
