#include "positions/kernels.h"

#include "isa/product.h"
#include "positions/finish.h"
#include "positions/padded.h"
#include "positions/scattered.h"
#include "positions/shares.h"
#include "positions/staged.h"
#include "positions/straight.h"

namespace gk {
namespace {

static_assert(kMostHalfRows == kFewRows);

// Fetches what the first tap of the next tile reads: so many short streams no prefetcher follows.
void prefetch_rows(const uint32_t* image, const int64_t* inputs, int rows, int words) {
  constexpr int kLineWords = 16;
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < words; k += kLineWords) {
      __builtin_prefetch(image + inputs[r] + k, 0, 2);
    }
  }
}

void multiply_tile(const PositionLayer& layer, const Tile& tile, const Product& product) {
#if defined(__AVX512F__)
  if (layer.halves) {
    return multiply_any<Float32OfHalves>(tile.rows, tile.panels, layer.vectors, product);
  }
#endif
#if defined(__AVX512BF16__)
  if (layer.bfloat16) {
    return multiply_any<Bfloat16>(tile.rows, tile.panels, layer.vectors, product);
  }
#endif
  multiply_any<Float32>(tile.rows, tile.panels, layer.vectors, product);
}

void run_tile(const PositionLayer& layer, const PositionCall& call, const PositionClass& rows,
              const Tile& tile, bool large) {
  alignas(64) float sums[kMostTile];
  alignas(64) float odd[kVector];
  const int width = layer.vectors * kVector;
  const int64_t panel = static_cast<int64_t>(tile.group) * layer.panels + tile.panel;
  Product product;
  product.steps = rows.steps;
  product.taps = rows.taps;
  product.tap_count = rows.tap_count;
  product.words = layer.words;
  product.panel_words = static_cast<int64_t>(layer.taps) * layer.words * width;
  product.weights =
      layer.weights + panel * product.panel_words / (layer.halves ? 2 : 1);
  product.shift = layer.shift + panel * width;
  const uint32_t* group = call.input + static_cast<int64_t>(tile.group) * layer.words;
  Row row(rows, tile.first);
  for (int r = 0; r < tile.rows; ++r, row.next()) {
    product.rows[r] = group + row.image * layer.input_words + rows.inputs[row.anchor];
  }
  const bool straight = places_of_tile(layer, call, rows, tile, product.sums);
  if (straight) {
    // An activation may end or make infinities.
    product.odd = layer.checked && layer.activation == Activation::kNone ? odd : nullptr;
    product.streams = large;
    const bool fetches = rows.tap_count && !large;
    product.fetched = fetches ? (tile.rows + rows.tap_count - 1) / rows.tap_count : 0;
  } else {
    product.odd = nullptr;
    product.fetched = 0;
    product.sums_to(sums, tile.panels * width, tile.rows);
    prefetch_tile(layer, call, rows, tile, position_bytes(layer));
  }
  if (tile.panel == 0 && row.anchor + tile.rows <= rows.rows) {
    prefetch_rows(group + row.image * layer.input_words, rows.inputs + row.anchor, tile.rows,
                  layer.words);
  }
  multiply_tile(layer, tile, product);
  if (!straight) return finish_tile(layer, call, rows, tile, sums);
  finish_places(layer, call, rows, tile, product);
}

// Panels first .. first + count - 1 of a group.
struct Panels {
  int group;
  int first;
  int count;
};

// Parts of the map, each of which all classes and panels go over before the next: that saves
// reading inputs again, and output lines that panels share, and costs reading weights again.
int block_count(const PositionLayer& layer, int images) {
  constexpr double kBlockBytes = 512 * 1024;
  constexpr double kCachedBytes = 1024 * 1024;
  constexpr int kBlockTiles = 24;
  const double positions = static_cast<double>(layer.input_words) / layer.position_words;
  const double input = 4.0 * layer.input_words * images / layer.groups;
  const double weights =
      4.0 * layer.panels * layer.taps * layer.words * layer.vectors * kVector;
  if (weights <= kCachedBytes) {
    return 1 + static_cast<int>(positions * images / (kBlockTiles * most_rows(layer.vectors)));
  }
  if (input <= kCachedBytes) return 1;
  const double blocks = __builtin_ceil(input / kBlockBytes);
  double rows = 0;
  for (int c = 0; c < layer.class_count; ++c) rows += layer.classes[c].rows;
  const double passes = rows / positions < 1 ? layer.panels : rows / positions * layer.panels;
  return weights * blocks + input < weights + input * passes ? static_cast<int>(blocks) : 1;
}

// Where a block begins among so many rows: between whole tiles, or at the end.
int block_begin(int64_t rows, int block, int blocks, int tile) {
  if (block == blocks) return static_cast<int>(rows);
  return static_cast<int>(rows * block / blocks / tile * tile);
}

// Some panels of a block: of all classes' rows the same part, which about the same inputs meet.
void run_panels(const PositionLayer& layer, const PositionCall& call, const Panels& panels,
                int block, int blocks, bool large, Shares& shares) {
  const int most = most_rows(layer.vectors);
  for (int c = 0; c < layer.class_count; ++c) {
    const PositionClass& rows = layer.classes[c];
    const int64_t every = static_cast<int64_t>(rows.rows) * call.images;
    const int begin = block_begin(every, block, blocks, most);
    const int all = block_begin(every, block + 1, blocks, most) - begin;
    const int tiles = (all + most - 1) / most;
    for (int done = 0; all && done < panels.count;) {
      const int beside =
          panels_beside((all + tiles - 1) / tiles, layer.vectors, panels.count - done);
      for (int t = 0; t < tiles; ++t) {
        const int first = begin + static_cast<int>(static_cast<int64_t>(all) * t / tiles);
        const int last = begin + static_cast<int>(static_cast<int64_t>(all) * (t + 1) / tiles);
        if (shares.take(work_of(rows) * (last - first) * beside)) {
          run_tile(layer, call, rows,
                   {panels.group, panels.first + done, beside, first, last - first}, large);
        }
      }
      done += beside;
    }
  }
}

void run(const PositionLayer& layer, const PositionCall& call) {
#if defined(__AMX_BF16__)
  if (layer.padding) return run_padded(layer, call);
  if (layer.staged) return run_staged(layer, call);
#endif
  if (layer.scatter) return run_scattered(layer, call);
  // Activations read what was stored.
  const bool large = layer.activation == Activation::kNone && streams(layer, call);
  Shares shares(work_of(layer) * call.images * layer.panels, call.part, call.parts);
  const int blocks = block_count(layer, call.images);
  for (int group = 0; group < layer.groups; ++group) {
    for (int block = 0; block < blocks; ++block) {
      for (int panel = 0; panel < layer.panels; panel += kMostPanels) {
        const int left = layer.panels - panel;
        const Panels panels{group, panel, left < kMostPanels ? left : kMostPanels};
        run_panels(layer, call, panels, block, blocks, large, shares);
      }
    }
  }
  if (large) stream_fence();
}

}  // namespace

extern const PositionKernels GK_TABLE(positions) = {
    kVector,
    {kMostRows, most_rows(2)},
#if defined(__AVX512BF16__)
    true,
#else
    false,
#endif
#if defined(__AVX512F__)
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
