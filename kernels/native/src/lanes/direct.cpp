#include "lanes/direct.h"

#include <algorithm>

#include "lanes/blocks.h"
#include "lanes/share.h"

namespace gk::lanes {
namespace {

// Of outputs, between two turns of the depth: they and the weights they meet stay in the second
// cache.
constexpr int64_t kTileBytes = 256 * 1024;
// Rows of all terms likewise: with steps for the first cache, outputs were loaded and stored too
// often (5 % slower).
constexpr int kRowBytes = 8192;

}  // namespace

size_t Direct::scratch_bytes() const {
  return kernels_.vector * kernels_.most_vectors * sizeof(float) + most_terms_ * sizeof(LaneTerm) +
         static_cast<size_t>(most_members_) * layer_.width() * sizeof(float*);
}

void Direct::run(const Work& work) const {
  auto* bytes = static_cast<std::byte*>(work.scratch);
  Scratch scratch;
  scratch.dump = reinterpret_cast<float*>(bytes);
  bytes += kernels_.vector * kernels_.most_vectors * sizeof(float);
  scratch.terms = reinterpret_cast<LaneTerm*>(bytes);
  scratch.columns = reinterpret_cast<float**>(bytes + most_terms_ * sizeof(LaneTerm));
  for (const Classes& classes : classes_) run_class(work, within(classes, work), scratch);
}

Direct::Band Direct::within(const Classes& classes, const Work& work) const {
  Band band{{}, {}, 1, 1};
  for (int axis = 0; axis < 3; ++axis) {
    const std::vector<Run>& runs = *classes[axis];
    band.runs[axis] = runs.data();
    band.counts[axis] = static_cast<int>(runs.size());
    band.members *= runs[0].members;
    band.terms *= static_cast<int>(runs[0].reads.size());
  }
  const int outermost = layer_.geometry.outermost();
  const Run* first = band.runs[outermost];
  const Run* last = first + band.counts[outermost];
  const auto ends_by = [](const Run& run, int row) { return run.first + run.members <= row; };
  const auto begins_before = [](const Run& run, int row) { return run.first < row; };
  first = std::lower_bound(first, last, work.begin, ends_by);
  last = std::lower_bound(first, last, work.end, begins_before);
  band.runs[outermost] = first;
  band.counts[outermost] = static_cast<int>(last - first);
  return band;
}

void Direct::run_class(const Work& work, const Band& band, const Scratch& scratch) const {
  const int columns = band.members * layer_.width();
  const int blocks = block_count(columns, kernels_.widest);
  const int positions = band.counts[0] * band.counts[1] * band.counts[2];
  const Share share(blocks, positions, work.part, work.parts);
  const int tile = static_cast<int>(std::max<int64_t>(
      1, kTileBytes / (static_cast<int64_t>(columns) * layer_.groups * work.capacity * 4)));
  const int step = depth_step(kernels_, band.terms, layer_.depth(), kRowBytes);
  LaneProduct product{};
  product.terms = scratch.terms;
  product.term_count = band.terms;
  product.panel_depth = layer_.depth();
  product.row_stride = work.capacity;
  product.columns = scratch.columns;
  product.column_count = columns;
  product.first_block = share.first_block;
  product.last_block = share.last_block;
  product.activation = layer_.activation;
  product.alpha = layer_.alpha;
  for (int from = share.first_position; from < share.last_position; from += tile) {
    const int to = std::min(share.last_position, from + tile);
    for (int depth = 0; depth < layer_.depth(); depth += step) {
      product.first_depth = depth;
      product.depth = std::min(step, layer_.depth() - depth);
      product.finish = depth + step >= layer_.depth();
      for (const Lanes& lanes : LaneBlocks(kernels_, work.images)) {
        product.vectors = lanes.vectors;
        for (int position = from; position < to; ++position) {
          run_position(work, band, position, lanes.first, scratch, product);
        }
      }
    }
  }
}

void Direct::run_position(const Work& work, const Band& band, int position, int lane,
                          const Scratch& scratch, LaneProduct& product) const {
  const Place place{&band.runs[0][position / band.counts[2] / band.counts[1]],
                    &band.runs[1][position / band.counts[2] % band.counts[1]],
                    &band.runs[2][position % band.counts[2]]};
  const auto* input = static_cast<const float*>(work.inputs[0]) + lane;
  auto* output = static_cast<float*>(work.outputs[0]) + lane;
  if (depthwise_) {
    list_terms(place, 0, input, work.capacity, scratch.terms);
    list_columns(work, place, 0, output, scratch);
    kernels_.multiply_depthwise({scratch.terms, product.term_count, layer_.groups, work.capacity,
                                 scratch.columns[0], product.vectors, shift_.data(),
                                 layer_.activation, layer_.alpha});
    return;
  }
  input += product.first_depth * static_cast<int64_t>(work.capacity);
  for (int group = 0; group < layer_.groups; ++group) {
    list_terms(place, group, input, work.capacity, scratch.terms);
    list_columns(work, place, group, output, scratch);
    const float* shift =
        shift_.data() + static_cast<int64_t>(group) * layer_.width() * most_members_;
    product.shift = product.first_depth ? nullptr : shift;
    kernels_.multiply(product);
  }
}

void Direct::list_terms(const Place& place, int group, const float* input, int capacity,
                        LaneTerm* term) const {
  const Axes& sizes = layer_.geometry.input;
  for (const Read& z : place[0]->reads) {
    for (const Read& y : place[1]->reads) {
      for (const Read& x : place[2]->reads) {
        const int64_t position =
            (static_cast<int64_t>(z.input) * sizes[1] + y.input) * sizes[2] + x.input;
        const int64_t row = position * layer_.in_channels + group * layer_.depth();
        *term++ = {input + row * capacity, panel(z.key, y.key, x.key, group)};
      }
    }
  }
}

void Direct::list_columns(const Work& work, const Place& place, int group, float* output,
                          const Scratch& scratch) const {
  const Axes& sizes = layer_.geometry.output;
  const int outermost = layer_.geometry.outermost();
  float** column = scratch.columns;
  for (int z = place[0]->first; z < place[0]->first + place[0]->members; ++z) {
    for (int y = place[1]->first; y < place[1]->first + place[1]->members; ++y) {
      for (int x = place[2]->first; x < place[2]->first + place[2]->members; ++x) {
        const int row = outermost == 0 ? z : outermost == 1 ? y : x;
        const bool wanted = row >= work.begin && row < work.end;
        const int64_t position = (static_cast<int64_t>(z) * sizes[1] + y) * sizes[2] + x;
        float* first = output + (position * layer_.out_channels + group * layer_.width()) *
                                    static_cast<int64_t>(work.capacity);
        for (int i = 0; i < layer_.width(); ++i) {
          *column++ = wanted ? first + static_cast<int64_t>(i) * work.capacity : scratch.dump;
        }
      }
    }
  }
}

}  // namespace gk::lanes
