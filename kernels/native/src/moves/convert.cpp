#include "moves/convert.h"

#include "forms.h"

namespace gk {
namespace {

bool flat(const gk_value& value) {
  return value.form == GK_LANES || value.form == GK_PLAIN || value.form == GK_IMAGES;
}

}  // namespace

Convert::Convert(Description& description, const Target& target)
    : kernels_(target.kernels.moves) {
  description.expect_values(1, 1);
  const gk_value& from = description.input(0);
  const gk_value& to = description.output(0);
  for (const gk_value* value : {&from, &to}) {
    if (value->form < 0 || value->form > GK_PLANES || value->form == GK_INDEX) {
      description.refuse("cannot convert form " + std::to_string(value->form));
    }
  }
  if (from.form == GK_IMAGES) description.refuse("bytes are not converted back");
  if (elements(from) != elements(to) ||
      (!flat(from) && !flat(to) && from.positions != to.positions)) {
    description.refuse("the sizes of input and output do not agree");
  }
  const gk_value& shaped = flat(from) ? to : from;
  plan_ = {from.form, to.form, shaped.positions, shaped.channels, target.capacity,
           to.space == GK_OUTPUT, 0.0f, 0.0f};
  check_capacity(description, target);
  rows_ = read_rows(description, shaped.positions);
  if (to.form == GK_IMAGES) {
    const double low = description.number(), high = description.number();
    if (!(low < high)) description.refuse("the range of the bytes is empty");
    plan_.scale = static_cast<float>(255.0 / (high - low));
    plan_.offset = static_cast<float>(-low) * plan_.scale;
  }
}

void Convert::run(const Work& work) const {
  const int64_t row = plan_.positions / rows_;
  kernels_.convert(plan_,
                   {row * work.begin, row * work.end, work.images, work.part, work.parts,
                    work.scratch, work.finite},
                   work.inputs[0], work.outputs[0]);
}

}  // namespace gk
