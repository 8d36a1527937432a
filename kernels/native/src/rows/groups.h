// How many neighbouring outputs share a product.

#pragma once

#include "rows/layer.h"

namespace gk {

// Outputs of a site along each axis, so that the products of a layer with few channels cost least.
// Refuses a layer whose sites have absurdly many outputs or inputs.
Axes choose_groups(const Description& description, const RowLayer& layer);

}  // namespace gk
