// kind "positions_convolution": geometry_integers, in_channels, out_channels, groups, activation;
// alpha, low, high; weight [*kernel, in / groups, out], shift [out] or none.

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "isa/half.h"
#include "limits.h"
#include "positions/grid.h"
#include "positions/kernels.h"
#include "positions/pad.h"
#include "positions/scatter.h"
#include "positions/weights.h"
#include "registry.h"

namespace gk {
namespace {

constexpr int kBlock = 32;  // channels of GK_PLAIN16 come in blocks
// So many rows of a tile must be used, on average, that it is worth gathering them.
constexpr int kLeastRows = 4;

class PositionsConvolution final : public Operation {
 public:
  PositionsConvolution(Description& description, const Target& target)
      : kernels_(target.kernels.positions) {
    description.expect_values(1, 1);
    const Geometry geometry = description.geometry();
    const int in_channels = description.integer(1, kMostChannels);
    const int out_channels = description.integer(1, kMostChannels);
    const int groups = description.integer(1, kMostChannels);
    if (in_channels % groups != 0 || out_channels % groups != 0) {
      description.refuse("channels are no multiples of the groups");
    }
    layer_.activation = description.activation();
    layer_.alpha = static_cast<float>(description.number());
    const double low = description.number();
    const double high = description.number();
    const int64_t weights = geometry.weights(in_channels / groups, out_channels);
    PositionWeights source{};
    source.weight = description.array(weights);
    source.shift = description.optional_array(out_channels);
    source.groups = groups;
    source.in_channels = in_channels / groups;
    source.out_channels = out_channels / groups;
    source.bfloat16 = description.input(0).form == GK_PLAIN16;
    source.merged = 1;
    // A pair of channels must not reach into the next group.
    if (source.bfloat16 && source.in_channels % 2 != 0) {
      source.merged = groups % 2 == 0 ? 2 : groups;
    }
    check(description, target, geometry, in_channels, out_channels);
    choose_store(description, low, high);

    const Grid grid = groups == 1 && phases_fill_lanes(source)
                          ? Grid::best(geometry, out_channels, kernels_.lanes)
                          : Grid::plain(geometry);
    check_taps(description, target, geometry, grid);
    layer_.position_words =
        source.bfloat16 ? (in_channels + kBlock - 1) / kBlock * (kBlock / 2) : in_channels;
    layer_.input_words = layer_.position_words * geometry.positions_in();
    layer_.positions = geometry.positions_out();
    const bool tiles = source.bfloat16 && kernels_.block_rows > 0;
    if (groups == 1 && layer_.store != PositionStore::kBfloats &&
        Scatter::suits(geometry, grid, out_channels, layer_.position_words, kernels_.lanes,
                       tiles)) {
      scatter(description, source, geometry, weights);
      return;
    }
    std::vector<GridClass> classes = grid.classes(layer_.position_words);
    if (source.bfloat16 && kernels_.block_rows > 0 && source.packed_groups() == 1 &&
        multiplied(geometry.positions_out(), grid.taps()) <= kMostTaps) {
      auto merged = grid.merged_classes();
      auto staged = tile_taps(merged, target.capacity) <= tile_taps(classes, target.capacity)
                        ? merged
                        : grid.placed(classes, layer_.position_words);
      layer_.staged = row_taps(classes, target.capacity) >=
                      kLeastRows * tile_taps(staged, target.capacity);
      if (layer_.staged) {
        pad_ = Pad::make(geometry, merged, layer_.position_words, out_channels, target.capacity);
        classes = pad_ ? std::move(merged) : std::move(staged);
        source.word_step = kBlock / 2;
      }
    }
    pack(description, source, grid, weights);
    if (pad_) pad(classes);
    lay_out(std::move(classes));
    if (kernels_.halves && !source.bfloat16) halve(target.capacity);
  }

  void run(const Work& work) const override {
    const auto* input = static_cast<const uint32_t*>(work.inputs[0]);
    kernels_.run(layer_, {input, work.outputs[0], work.images, work.part, work.parts, work.finite,
                          static_cast<uint32_t*>(work.scratch)});
  }
  bool divisible() const override { return true; }
  size_t scratch_bytes() const override {
    if (scatter_) return scatter_->scratch_bytes(layer_.panels * layer_.vectors * kernels_.lanes);
    if (pad_) return pad_->scratch_bytes();
    return layer_.staged ? stage_bytes() : 0;
  }
  size_t weight_bytes() const override { return weights_.bytes() + shift_.bytes(); }

 private:
  void check(const Description& description, const Target& target, const Geometry& geometry,
             int in_channels, int out_channels) const {
    const gk_value& input = description.input(0);
    const gk_value& output = description.output(0);
    if (input.form != GK_PLAIN && input.form != GK_PLAIN16) {
      description.refuse("the input is neither plain nor plain16");
    }
    if (input.form == GK_PLAIN16 && !kernels_.bfloat16) {
      description.refuse(std::string("instruction set ") + target.kernels.name +
                         " does not multiply bfloat16 (plain16): avx512_bf16 and amx do");
    }
    description.expect(input, static_cast<gk_form>(input.form), geometry.positions_in(),
                       in_channels);
    description.expect(output, static_cast<gk_form>(output.form), geometry.positions_out(),
                       out_channels);
  }

  // Whether channels alone leave lanes empty; bfloat16 of more channels has tiles of its own.
  bool phases_fill_lanes(const PositionWeights& source) const {
    if (source.out_channels < kernels_.lanes) return true;
    return !source.bfloat16 && source.out_channels % (2 * kernels_.lanes) != 0;
  }

  void choose_store(const Description& description, double low, double high) {
    const gk_value& output = description.output(0);
    layer_.checked = output.space == GK_OUTPUT;
    switch (output.form) {
      case GK_PLAIN:
        layer_.store = PositionStore::kFloats;
        return;
      case GK_PLAIN16:
        layer_.store = PositionStore::kBfloats;
        return;
      case GK_PLANES:
        layer_.store = PositionStore::kPlanes;
        return;
      case GK_IMAGES:
        layer_.store = PositionStore::kImages;
        if (!(low < high)) description.refuse("low is not less than high");
        layer_.scale = static_cast<float>(255.0 / (high - low));
        layer_.offset = static_cast<float>(-low) * layer_.scale;
        return;
      default:
        description.refuse("the output is none of plain, plain16, planes and images");
    }
  }

  // Refuses what takes too long to list, and rows that cannot be counted.
  static void check_taps(const Description& description, const Target& target,
                         const Geometry& geometry, const Grid& grid) {
    if (grid.class_taps() > kMostTaps) {
      description.refuse("has more than " + std::to_string(kMostTaps) +
                         " taps at the borders of its map");
    }
    const int64_t rows = int64_t{geometry.positions_out()} * target.capacity;
    if (rows > std::numeric_limits<int>::max()) {
      description.refuse("has too many positions for " + std::to_string(target.capacity) +
                         " images at a time");
    }
  }

  void pack(const Description& description, const PositionWeights& source, const Grid& grid,
            int64_t weights) {
    layer_.groups = source.packed_groups();
    layer_.phases = grid.phases();
    layer_.out_channels = source.out_channels * source.merged;
    layer_.columns = source.columns(grid);
    layer_.words = source.words();
    layer_.taps = grid.taps();
    layer_.bfloat16 = source.bfloat16;
    layer_.vectors = layer_.columns <= kernels_.lanes || pad_ ? 1 : 2;
    const int width = layer_.vectors * kernels_.lanes;
    layer_.panels = (layer_.columns + width - 1) / width;
    const int64_t columns = int64_t{layer_.groups} * layer_.panels * width;
    description.check_packed(multiplied(columns * layer_.words, layer_.taps), weights);
    weights_ = source.pack(grid, layer_.panels, width);
    shift_ = source.pack_shift(grid, layer_.panels, width);
    layer_.weights = weights_.data();
    layer_.shift = shift_.data();
  }

  // Few output channels: input positions are multiplied with all taps at once.
  void scatter(const Description& description, const PositionWeights& source,
               const Geometry& geometry, int64_t weights) {
    const int columns = geometry.taps() * source.out_channels;
    // An odd number of vectors is not padded to pairs.
    layer_.vectors = (columns + kernels_.lanes - 1) / kernels_.lanes % 2 != 0 ? 1 : 2;
    const int width = layer_.vectors * kernels_.lanes;
    const bool tiles = source.bfloat16 && kernels_.block_rows > 0;
    scatter_.emplace(geometry, source.out_channels,
                     tiles ? kTileRows : kernels_.rows[layer_.vectors - 1]);
    layer_.groups = 1;
    layer_.columns = columns;
    layer_.panels = (columns + width - 1) / width;
    layer_.words = static_cast<int>(layer_.position_words);
    layer_.out_channels = source.out_channels;
    layer_.bfloat16 = source.bfloat16;
    description.check_packed(
        multiplied(multiplied(layer_.panels, width), layer_.words), weights);
    weights_ = scatter_->pack(source, layer_.words, layer_.panels, width);
    shift_ = Buffer<float>(source.out_channels);
    for (int channel = 0; channel < source.out_channels; ++channel) {
      shift_[channel] = source.shift ? source.shift[channel] : 0.0f;
    }
    layer_.weights = weights_.data();
    layer_.shift = shift_.data();
    layer_.scatter = &scatter_->table();
  }

  void pad(std::vector<GridClass>& classes) {
    layer_.padding = &pad_->table();
    for (GridClass& rows : classes) {
      rows.steps = pad_->steps(rows);
      rows.places = {};
    }
  }

  void lay_out(std::vector<GridClass> classes) {
    grid_classes_ = std::move(classes);
    for (const GridClass& from : grid_classes_) {
      classes_.push_back({from.inputs.data(), from.outputs.data(), from.steps.data(),
                          from.taps.data(), from.rows, static_cast<int>(from.taps.size()),
                          from.places.data()});
    }
    layer_.classes = classes_.data();
    layer_.class_count = static_cast<int>(classes_.size());
  }

  // Where rows are few, reading weights takes the time: half of it where float16 holds them.
  void halve(int capacity) {
    for (const PositionClass& rows : classes_) {
      if (int64_t{rows.rows} * capacity > kMostHalfRows) return;
    }
    Buffer<uint32_t> halves((weights_.size() + 1) / 2);
    auto* half = reinterpret_cast<uint16_t*>(halves.data());
    for (size_t i = 0; i < weights_.size(); ++i) {
      float weight;
      std::memcpy(&weight, &weights_[i], sizeof(weight));
      if (!exact_half(weight, half[i])) return;
    }
    weights_ = std::move(halves);
    layer_.weights = weights_.data();
    layer_.halves = true;
  }

  size_t stage_bytes() const {
    size_t taps = 0;
    for (const PositionClass& rows : classes_) taps = std::max<size_t>(taps, rows.tap_count);
    return taps * layer_.words * kernels_.block_rows * sizeof(uint32_t);
  }

  const PositionKernels& kernels_;
  PositionLayer layer_{};
  Buffer<uint32_t> weights_;
  Buffer<float> shift_;
  std::optional<Scatter> scatter_;
  std::optional<Pad> pad_;
  std::vector<GridClass> grid_classes_;
  std::vector<PositionClass> classes_;
};

constexpr Kind kKinds[] = {{"positions_convolution", make<PositionsConvolution>}};

}  // namespace

Kinds positions_kinds() { return {kKinds, 1}; }

}  // namespace gk
