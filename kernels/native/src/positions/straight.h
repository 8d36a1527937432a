// Tiles whose sums are written where they belong, without a copy in between.
// For positions/kernels.cpp only.

#pragma once

#include "positions/finish.h"

namespace gk {
namespace {

// Where the sums of a tile's rows belong, if that is memory of so many floats for each of them.
bool places_of_tile(const PositionLayer& layer, const PositionCall& call,
                    const PositionClass& rows, const Tile& tile, float** places) {
  const int across = tile.panels * layer.vectors * kVector;
  const int column = tile.panel * layer.vectors * kVector;
  if (layer.store != PositionStore::kFloats || column + across > layer.columns) return false;
  const int phase = column / layer.out_channels;
  const int channel = column % layer.out_channels;
  const int more = (channel + across - 1) / layer.out_channels;  // phases that it reaches into
  if (more > 0 && layer.groups > 1) return false;
  const int64_t channels = static_cast<int64_t>(layer.groups) * layer.out_channels;
  float* first = static_cast<float*>(call.output) + tile.group * layer.out_channels + channel;
  Row row(rows, tile.first);
  for (int r = 0; r < tile.rows; ++r, row.next()) {
    const int32_t* outputs =
        rows.outputs + static_cast<int64_t>(row.anchor) * layer.phases + phase;
    if (outputs[0] < 0) return false;
    for (int i = 1; i <= more; ++i) {
      if (outputs[i] != outputs[0] + i) return false;
    }
    places[r] = first + (row.image * layer.positions + outputs[0]) * channels;
  }
  return true;
}

// Ends sums that lie where they belong.
void finish_places(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
                   const Tile& tile, const Product& product) {
  const int across = tile.panels * layer.vectors * kVector;
  if (layer.activation != Activation::kNone) {
    for (int r = 0; r < tile.rows; ++r) {
      for (int i = 0; i < across; i += kVector) {
        float* at = product.sums[r] + i;
        store_unaligned(at, activate(layer.activation, layer.alpha, load_unaligned(at)));
      }
    }
  }
  if (!layer.checked || (product.odd && all_finite(product.odd, kVector))) return;
  Row row(rows, tile.first);
  for (int r = 0; r < tile.rows; ++r, row.next()) {
    if (!all_finite(product.sums[r], across)) mark_not_finite(call.finite + row.image);
  }
}

}  // namespace
}  // namespace gk
