#include "rows/images.h"

#include <algorithm>
#include <cstring>

#include "rows/groups.h"

namespace gk {
namespace {

constexpr int kMostColumns = 32;
constexpr size_t kCacheLine = 64;
// So much is staged that it stays in the nearest caches.
constexpr int64_t kStageBytes = int64_t{1} << 16;

size_t lines(size_t bytes) { return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine; }

}  // namespace

RowsImages::RowsImages(Description& description, const Target& target)
    : layer_(description, target) {
  const double low = description.number();
  const double high = description.number();
  choose_form(description, low, high);
  const RowWeights weights = layer_.weights(description);
  const Axes groups = choose_groups(description, layer_);
  for (int axis = 0; axis < 3; ++axis) axes_[axis] = grouped(layer_.geometry, axis, groups[axis]);
  const auto alone = [](const RowAxis& axis) { return axis.group == 1; };
  straight_ = layer_.geometry.positions_out() == 1 && std::all_of(axes_, axes_ + 3, alone);
  plan_columns();
  for (const auto& columns : columns_) panels_.add({&axes_[0], &axes_[1], &axes_[2]}, columns);
  panels_.pack(description, weights, *layer_.kernels);
  plan_stage(target.capacity);
}

void RowsImages::choose_form(const Description& description, double low, double high) {
  const gk_value& output = description.output(0);
  if (output.form != GK_IMAGES && output.form != GK_PLANES && output.form != GK_PLAIN) {
    description.refuse("the output has form " + std::to_string(output.form) +
                       ", not IMAGES, PLANES or PLAIN");
  }
  bytes_ = output.form == GK_IMAGES;
  planes_ = output.form == GK_PLANES;
  if (!bytes_) return;
  if (!(low < high)) description.refuse("low is not less than high");
  scale_ = static_cast<float>(255.0 / (high - low));
  offset_ = static_cast<float>(-low) * scale_;
}

void RowsImages::plan_columns() {
  std::vector<RowColumn> all;
  const int channels = layer_.out_channels;
  RowColumn column{};
  Axes& at = column.offsets;
  for (at[0] = 0; at[0] < axes_[0].group; ++at[0]) {
    for (at[1] = 0; at[1] < axes_[1].group; ++at[1]) {
      const int outputs = axes_[2].group;
      // As they lie in the output.
      for (int i = 0; i < outputs * channels; ++i) {
        at[2] = planes_ ? i % outputs : i / channels;
        column.channel = planes_ ? i / outputs : i % channels;
        all.push_back(column);
      }
    }
  }
  for (size_t first = 0; first < all.size(); first += kMostColumns) {
    const size_t last = std::min(first + kMostColumns, all.size());
    columns_.emplace_back(all.begin() + first, all.begin() + last);
  }
}

void RowsImages::plan_stage(int capacity) {
  const int channels = layer_.out_channels;
  const int rows = axes_[0].group * axes_[1].group;
  const int64_t element = bytes_ ? 1 : 4;
  const int64_t site_bytes = int64_t{axes_[2].group} * channels * rows * capacity * element;
  const int64_t sites = axes_[2].sites.size();
  const int64_t most = std::max<int64_t>(sites, 1);
  chunk_ = static_cast<int>(std::clamp<int64_t>(kStageBytes / site_bytes, 1, most));
  site_ = planes_ ? axes_[2].group : axes_[2].group * channels;
  plane_ = chunk_ * site_;
  row_ = planes_ ? plane_ * channels : plane_;
  // An odd number of cache lines, so that images do not fall on the same ones.
  image_ = static_cast<int64_t>(lines(rows * row_ * element) | kCacheLine) / element;
  scratch_bytes_ = kRowScratch * sizeof(float) + lines(chunk_ * sizeof(uint32_t)) +
                   kMostColumns * element + capacity * image_ * element + kCacheLine;
  if (straight_) {
    image_ = channels;
    scratch_bytes_ = kRowScratch * sizeof(float) + lines(sizeof(uint32_t));
  }
  for (const std::vector<RowColumn>& columns : columns_) {
    std::vector<RowRun> runs;
    int64_t next = -1;
    for (size_t i = 0; i < columns.size(); ++i) {
      const RowColumn& column = columns[i];
      const int64_t row = column.offsets[0] * axes_[1].group + column.offsets[1];
      const int64_t place = row * row_ + (planes_ ? column.channel * plane_ + column.offsets[2]
                                                  : column.offsets[2] * channels + column.channel);
      const int lane = static_cast<int>(i % 16);
      if (lane == 0 || place != next) {
        runs.push_back({static_cast<int>(i / 16), 0, place - lane});
      }
      runs.back().columns |= 1u << lane;
      next = place + 1;
    }
    runs_.push_back(std::move(runs));
  }
}

std::byte* RowsImages::stage(const Work& work) const {
  auto* scratch = static_cast<std::byte*>(work.scratch);
  // Runs count from a first column that may lie before the stage.
  return scratch + kRowScratch * sizeof(float) + lines(chunk_ * sizeof(uint32_t)) + kCacheLine;
}

void RowsImages::run(const Work& work) const {
  const Geometry& geometry = layer_.geometry;
  Piece piece;
  for (int axis = 0; axis < 3; ++axis) {
    const bool banded = axis == geometry.outermost();
    piece.begin[axis] = banded ? work.begin : 0;
    piece.end[axis] = banded ? work.end : geometry.output[axis];
    piece.axes[axis] = axes_[axis].within(piece.begin[axis], piece.end[axis]);
  }
  if (straight_) return run_straight(work, piece);
  const RowSites all[3] = {piece.axes[0], piece.axes[1], piece.axes[2]};
  const int64_t chunks = (all[2].count + chunk_ - 1) / chunk_;
  const int64_t pieces = chunks * all[1].count * all[0].count;
  for (int64_t i = pieces * work.part / work.parts; i < pieces * (work.part + 1) / work.parts;
       ++i) {
    const auto chunk = static_cast<int>(i % chunks);
    const int64_t row = i / chunks;
    piece.axes[0].sites = all[0].sites + row / all[1].count;
    piece.axes[1].sites = all[1].sites + row % all[1].count;
    piece.axes[2].sites = all[2].sites + int64_t{chunk} * chunk_;
    piece.axes[0].count = piece.axes[1].count = 1;
    piece.axes[2].count = std::min(chunk_, all[2].count - chunk * chunk_);
    compute(work, piece, 0, panels_.size());
    store(work, piece);
  }
}

void RowsImages::run_straight(const Work& work, const Piece& piece) const {
  for (const RowSites& sites : piece.axes) {
    if (sites.count == 0) return;
  }
  // Each worker reads weights of its own.
  const int64_t panels = panels_.size();
  compute(work, piece, static_cast<int>(panels * work.part / work.parts),
          static_cast<int>(panels * (work.part + 1) / work.parts));
}

void RowsImages::compute(const Work& work, const Piece& piece, int first, int last) const {
  RowTask task = layer_.task(work);
  std::copy(piece.axes, piece.axes + 3, task.axes);
  auto* wanted = reinterpret_cast<uint32_t*>(static_cast<std::byte*>(work.scratch) +
                                             kRowScratch * sizeof(float));
  void* const data = straight_ ? work.outputs[0] : stage(work);
  for (int panel = first; panel < last; ++panel) {
    task.panel = panels_[panel];
    task.next_bytes = straight_ && panel + 1 < last ? panels_[panel + 1].bytes : 0;
    task.next = reinterpret_cast<const char*>(task.panel.weights) + task.panel.bytes;
    mark_wanted(piece, panel, wanted);
    const std::vector<RowRun>& runs = runs_[panel];
    const RowStage to{data,      image_, site_,  runs.data(), static_cast<int>(runs.size()), wanted,
                      straight_, bytes_, scale_, offset_,     work.finite};
    layer_.kernels->to_stage(task, to);
  }
}

void RowsImages::mark_wanted(const Piece& piece, int panel, uint32_t* wanted) const {
  const std::vector<RowColumn>& columns = columns_[panel];
  const auto inside = [&](int axis, int site, int offset) {
    const int output = piece.axes[axis].sites[site].output + offset;
    return output >= piece.begin[axis] && output < piece.end[axis];
  };
  uint32_t rows = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    const Axes& at = columns[i].offsets;
    rows |= uint32_t{inside(0, 0, at[0]) && inside(1, 0, at[1])} << i;
  }
  for (int site = 0; site < piece.axes[2].count; ++site) {
    wanted[site] = rows;
    if (inside(2, site, 0) && inside(2, site, axes_[2].group - 1)) continue;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (!inside(2, site, columns[i].offsets[2])) wanted[site] &= ~(1u << i);
    }
  }
}

void RowsImages::store(const Work& work, const Piece& piece) const {
  const Geometry& geometry = layer_.geometry;
  const int64_t channels = layer_.out_channels;
  const int64_t element = bytes_ ? 1 : 4;
  const int first = piece.axes[2].sites[0].output;
  const int begin = std::max(first, piece.begin[2]);
  const int end = std::min(first + piece.axes[2].count * axes_[2].group, piece.end[2]);
  const int64_t size = geometry.positions_out() * channels;
  const int64_t planes = planes_ ? channels : 1;
  const int64_t width = planes_ ? 1 : channels;
  const int64_t bytes = (end - begin) * width * element;
  const std::byte* from = stage(work) + (begin - first) * width * element;
  auto* to = static_cast<std::byte*>(work.outputs[0]);
  for (int i = 0; i < axes_[0].group; ++i) {
    const int outer = piece.axes[0].sites->output + i;
    if (outer < piece.begin[0] || outer >= piece.end[0]) continue;
    for (int j = 0; j < axes_[1].group; ++j) {
      const int middle = piece.axes[1].sites->output + j;
      if (middle < piece.begin[1] || middle >= piece.end[1]) continue;
      const int64_t row = (int64_t{outer} * geometry.output[1] + middle) * geometry.output[2];
      for (int64_t image = 0; image < work.images; ++image) {
        for (int64_t plane = 0; plane < planes; ++plane) {
          const int64_t staged =
              image * image_ + (int64_t{i} * axes_[1].group + j) * row_ + plane * plane_;
          const int64_t at =
              image * size + plane * geometry.positions_out() + (row + begin) * width;
          std::memcpy(to + at * element, from + staged * element, bytes);
        }
      }
    }
  }
}

}  // namespace gk
