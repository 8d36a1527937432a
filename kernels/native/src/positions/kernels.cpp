#include "positions/kernels.h"

#include "positions/product.h"
#include "positions/store.h"

namespace gk {
namespace {

constexpr int kMostTile = kMostSums * kVector;

// Bytes of an output image.
int64_t image_bytes(const PositionLayer& layer) {
  const int64_t channels = static_cast<int64_t>(layer.groups) * layer.out_channels;
  switch (layer.store) {
    case PositionStore::kFloats:
    case PositionStore::kPlanes:
      return layer.positions * channels * 4;
    case PositionStore::kBfloats:
      return layer.positions * ((channels + 31) / 32 * 32) * 2;
    case PositionStore::kImages:
      return layer.positions * channels;
  }
  __builtin_unreachable();
}

// Where a tile lies: panels panel .. panel + panels - 1 of a group, rows first .. first + rows - 1.
struct Tile {
  int group;
  int panel;
  int panels;
  int first;
  int rows;
};

void run_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
              const Tile& tile) {
  alignas(64) float sums[kMostTile];
  alignas(64) float levels[kMostTile];
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
  int images[kMostRows];
  int anchors[kMostRows];
  for (int r = 0; r < tile.rows; ++r) {
    images[r] = (tile.first + r) / rows.rows;
    anchors[r] = (tile.first + r) % rows.rows;
    product.rows[r] = call.input + images[r] * layer.input_words + rows.inputs[anchors[r]] +
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
  const int across = tile.panels * width;
  activate_all(layer, sums, tile.rows * across);
  if (layer.store == PositionStore::kImages) {
    for (int i = 0; i < tile.rows * across; i += kVector) {
      store(levels + i, to_levels(load(sums + i), layer.scale, layer.offset));
    }
  }
  const int column = tile.panel * width;
  const int columns = layer.columns - column < across ? layer.columns - column : across;
  for (int r = 0; r < tile.rows; ++r) {
    store_row(layer, static_cast<char*>(call.output) + images[r] * image_bytes(layer),
              rows.outputs + static_cast<int64_t>(anchors[r]) * layer.phases, tile.group, column,
              columns, sums + r * across, levels + r * across, call.finite + images[r]);
  }
}

// Tiles in the order in which weights lie, cut into shares of equal work: where there are many
// weights, each worker reads its own part of them.
class Shares {
 public:
  Shares(int64_t work, int part, int parts)
      : begin_(work * part / parts), end_(work * (part + 1) / parts) {}
  // Whether the next `work` is this worker's.
  bool take(int64_t work) {
    const bool mine = done_ >= begin_ && done_ < end_;
    done_ += work;
    return mine;
  }

 private:
  int64_t begin_;
  int64_t end_;
  int64_t done_ = 0;
};

// Work of a tile: also one that meets nothing is some.
int64_t work_of(const PositionClass& rows) { return rows.tap_count + 1; }

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
  int64_t work = 0;
  for (int c = 0; c < layer.class_count; ++c) {
    work += work_of(layer.classes[c]) * layer.classes[c].rows;
  }
  work *= static_cast<int64_t>(call.images) * layer.panels * layer.groups;
  Shares shares(work, call.part, call.parts);
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
    run,
};

}  // namespace gk
