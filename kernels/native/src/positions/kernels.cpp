#include "positions/kernels.h"

#include "isa/product.h"
#include "positions/finish.h"
#include "positions/shares.h"
#include "positions/staged.h"

namespace gk {
namespace {

void run_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
              const Tile& tile) {
  alignas(64) float sums[kMostTile];
  const int width = layer.vectors * kVector;
  const int64_t panel = static_cast<int64_t>(tile.group) * layer.panels + tile.panel;
  Product product;
  product.steps = rows.steps;
  product.taps = rows.taps;
  product.tap_count = rows.tap_count;
  product.words = layer.words;
  product.panel_words = static_cast<int64_t>(layer.taps) * layer.words * width;
  product.weights = layer.weights + panel * product.panel_words;
  product.shift = layer.shift + panel * width;
  product.sums = sums;
  product.stride = tile.panels * width;
  for (int r = 0; r < tile.rows; ++r) {
    const int image = (tile.first + r) / rows.rows;
    product.rows[r] = call.input + image * layer.input_words +
                      rows.inputs[(tile.first + r) % rows.rows] +
                      static_cast<int64_t>(tile.group) * layer.words;
  }
#if defined(__AVX512BF16__)
  if (layer.bfloat16) {
    multiply_any<Bfloat16>(tile.rows, tile.panels, layer.vectors, product);
  } else {
    multiply_any<Float32>(tile.rows, tile.panels, layer.vectors, product);
  }
#else
  multiply_any<Float32>(tile.rows, tile.panels, layer.vectors, product);
#endif
  finish_tile(layer, call, rows, tile, sums);
}

void run_panels(const PositionLayer& layer, const PositionCall& call, int group, int panel,
                int panels, Shares& shares) {
  for (int c = 0; c < layer.class_count; ++c) {
    const PositionClass& rows = layer.classes[c];
    const int all = rows.rows * call.images;
    const int tiles = (all + most_rows(layer.vectors) - 1) / most_rows(layer.vectors);
    for (int done = 0; done < panels;) {
      const int beside = panels_beside((all + tiles - 1) / tiles, layer.vectors, panels - done);
      for (int t = 0; t < tiles; ++t) {
        const int first = static_cast<int64_t>(all) * t / tiles;
        const int last = static_cast<int64_t>(all) * (t + 1) / tiles;
        if (shares.take(work_of(rows) * (last - first) * beside)) {
          run_tile(layer, call, rows, {group, panel + done, beside, first, last - first});
        }
      }
      done += beside;
    }
  }
}

void run(const PositionLayer& layer, const PositionCall& call) {
#if defined(__AMX_BF16__)
  if (layer.staged) return run_staged(layer, call);
#endif
  Shares shares(work_of(layer) * call.images * layer.panels, call.part, call.parts);
  for (int group = 0; group < layer.groups; ++group) {
    for (int panel = 0; panel < layer.panels; panel += kMostPanels) {
      const int left = layer.panels - panel;
      run_panels(layer, call, group, panel, left < kMostPanels ? left : kMostPanels, shares);
    }
  }
}

}  // namespace

extern const PositionKernels GK_TABLE(positions) = {
    kVector,
#if defined(__AVX512BF16__)
    true,
#else
    false,
#endif
#if defined(__AMX_BF16__)
    kBlockRows,
#else
    0,
#endif
    run,
};

}  // namespace gk
