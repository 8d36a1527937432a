// kind "pool": the mean or max over windows of each channel.

#include "reductions/folding.h"

namespace gk {

Pool::Pool(Description& description, const Target& target) : Folding(description, target, true) {
  const Geometry geometry = description.geometry();
  const bool mean = description.integer(0, 1) == 0;
  const bool count_outside = description.integer(0, 1) == 1;
  if (geometry.transposed) description.refuse("a window is a forward geometry's");
  const auto form = static_cast<gk_form>(output_.form);
  description.expect(input_, form, geometry.positions_in(), output_.channels);
  description.expect(output_, form, geometry.positions_out(), 0);
  if (rows_ > 1 && geometry.output[geometry.outermost()] != rows_) {
    description.refuse("the outermost axis has other than " + std::to_string(rows_) + " rows");
  }
  const int64_t channels = output_.channels;
  std::vector<std::vector<Meeting>> meetings[3];
  for (int axis = 0; axis < 3; ++axis) {
    for (int i = 0; i < geometry.output[axis]; ++i) {
      meetings[axis].push_back(geometry.meetings(axis, i));
    }
  }
  std::vector<FoldOutput> outputs;
  Sizes places;
  for (const auto& planes : meetings[0]) {
    for (const auto& rows : meetings[1]) {
      for (const auto& columns : meetings[2]) {
        const auto begin = static_cast<int64_t>(places.size());
        for (const Meeting& plane : planes) {
          for (const Meeting& row : rows) {
            for (const Meeting& column : columns) {
              const int64_t line = int64_t{plane.input} * geometry.input[1] + row.input;
              places.push_back((line * geometry.input[2] + column.input) * channels);
            }
          }
        }
        const auto end = static_cast<int64_t>(places.size());
        const int64_t divisor = count_outside ? geometry.taps() : end - begin;
        outputs.push_back({0, static_cast<int64_t>(outputs.size()) * channels, begin, end,
                           static_cast<float>(divisor)});
      }
    }
  }
  set(mean ? FoldFunction::kMean : FoldFunction::kMax, std::move(outputs), std::move(places), {},
      channels, 1);
}

}  // namespace gk
