#include "lanes/direct.h"

#include <algorithm>

#include "lanes/blocks.h"
#include "lanes/share.h"

namespace gk::lanes {
namespace {

// Of outputs, between two turns of the depth: they and the weights they meet stay in the second
// cache.
constexpr int64_t kTileBytes = 256 * 1024;

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
  const int step = depth_step(kernels_, band.terms, layer_.depth());
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
  const Geometry& geometry = layer_.geometry;
  const Run& x = band.runs[2][position % band.counts[2]];
  const Run& y = band.runs[1][position / band.counts[2] % band.counts[1]];
  const Run& z = band.runs[0][position / band.counts[2] / band.counts[1]];
  const int64_t capacity = work.capacity;
  const auto* input = static_cast<const float*>(work.inputs[0]) + lane;
  auto* output = static_cast<float*>(work.outputs[0]) + lane;
  const int outermost = geometry.outermost();
  for (int group = 0; group < layer_.groups; ++group) {
    LaneTerm* term = scratch.terms;
    for (const Read& a : z.reads) {
      for (const Read& b : y.reads) {
        for (const Read& c : x.reads) {
          const int64_t place =
              (static_cast<int64_t>(a.input) * geometry.input[1] + b.input) * geometry.input[2] +
              c.input;
          const int64_t row =
              place * layer_.in_channels + group * layer_.depth() + product.first_depth;
          *term++ = {input + row * capacity, panel(a.key, b.key, c.key, group)};
        }
      }
    }
    float** column = scratch.columns;
    for (int member = 0; member < band.members; ++member) {
      const int outputs[] = {z.first + member / x.members / y.members,
                             y.first + member / x.members % y.members,
                             x.first + member % x.members};
      const int64_t place = (static_cast<int64_t>(outputs[0]) * geometry.output[1] + outputs[1]) *
                                geometry.output[2] +
                            outputs[2];
      const int64_t row = place * layer_.out_channels + group * layer_.width();
      const bool wanted = outputs[outermost] >= work.begin && outputs[outermost] < work.end;
      for (int i = 0; i < layer_.width(); ++i) {
        *column++ = wanted ? output + (row + i) * capacity : scratch.dump;
      }
    }
    product.shift = product.first_depth ? nullptr
                                        : shift_.data() + static_cast<int64_t>(group) *
                                                              layer_.width() * most_members_;
    kernels_.multiply(product);
  }
}

}  // namespace gk::lanes
