// kind "convert": the same values in another form or place. GK_PLAIN -> GK_LANES and back.

#include "moves/kernels.h"

#include "registry.h"

namespace gk {
namespace {

class Convert final : public Operation {
 public:
  Convert(Description& description, const Target& target)
      : kernels_(target.kernels.moves),
        elements_(description.input(0).positions * description.input(0).channels),
        into_lanes_(description.output(0).form == GK_LANES) {
    description.expect(description.input(0), into_lanes_ ? GK_PLAIN : GK_LANES, 0, 0);
    description.expect(description.output(0), into_lanes_ ? GK_LANES : GK_PLAIN, 0, 0);
    description.finish();
  }

  void run(const Work& work) const override {
    const auto* from = static_cast<const float*>(work.inputs[0]);
    auto* to = static_cast<float*>(work.outputs[0]);
    if (into_lanes_) {
      kernels_.to_lanes(from, to, elements_, work.images, work.capacity);
    } else {
      kernels_.from_lanes(from, to, elements_, work.images, work.capacity, work.finite);
    }
  }

 private:
  const MoveKernels& kernels_;
  int64_t elements_;
  bool into_lanes_;
};

constexpr Kind kKinds[] = {{"convert", make<Convert>}};

}  // namespace

Kinds moves_kinds() { return {kKinds, 1}; }

}  // namespace gk
