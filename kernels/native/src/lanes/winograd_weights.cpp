// The weights of Winograd: taps transformed in double, once.

#include <algorithm>

#include "lanes/blocks.h"
#include "lanes/winograd.h"

namespace gk::lanes {
namespace {

// G of F(4, 2) with the points 0, 1, -1, 2 and infinity; B and A are in transform.h.
constexpr double kTaps[5][2] = {
    {1.0 / 2, 0.0}, {1.0 / 2, 1.0 / 2}, {1.0 / 6, -1.0 / 6}, {1.0 / 6, 1.0 / 3}, {0.0, 1.0}};

// The factor of one tap at a point of a term.
struct Factor {
  int tap;
  double factor;
};

std::vector<Factor> factors(const Side& side, int point, int term) {
  const auto& taps = side.phase.taps;
  if (!side.transformed) return {{taps[term].tap, 1.0}};
  std::vector<Factor> found{{taps[2 * term].tap, kTaps[point][0]}};
  if (2 * term + 1 < side.taps()) found.push_back({taps[2 * term + 1].tap, kTaps[point][1]});
  return found;
}

}  // namespace

Winograd::Winograd(const Layer& layer, const float* shift, const LaneKernels& kernels,
                   std::vector<Combination> combinations)
    : kernels_(kernels),
      layer_(layer),
      row_(kernels.vector * kernels.most_vectors),
      combinations_(std::move(combinations)) {
  int64_t size = 0;
  for (const Combination& each : combinations_) {
    starts_.push_back(size);
    size += each.weights(layer);
  }
  weights_ = Buffer<float>(size);
  for (size_t i = 0; i < combinations_.size(); ++i) {
    pack(layer, combinations_[i], weights_.data() + starts_[i]);
  }
  shift_ = Buffer<float>(layer.out_channels);
  for (int i = 0; i < layer.out_channels; ++i) shift_[i] = shift ? shift[i] : 0.0f;
  const int64_t zeros = std::max<int64_t>(static_cast<int64_t>(layer.in_channels) * layer.capacity,
                                          layer.width());
  zeros_ = Buffer<float>(zeros);
  std::fill_n(zeros_.data(), zeros, 0.0f);
  layer_.weight = nullptr;
}

void Winograd::pack(const Layer& layer, const Combination& combination, float* to) const {
  const auto& [z, y, x] = combination.sides;
  const Axes& kernel = layer.geometry.kernel;
  const int blocks = block_count(layer.width(), kernels_.widest);
  std::vector<double> row(layer.width());
  for (int point = 0; point < combination.points(); ++point) {
    for (int group = 0; group < layer.groups; ++group) {
      for (int term = 0; term < combination.terms(); ++term) {
        std::vector<Factor> taps;
        for (const Factor& a : factors(z, 0, term / x.terms() / y.terms())) {
          for (const Factor& b : factors(y, point / x.points(), term / x.terms() % y.terms())) {
            for (const Factor& c : factors(x, point % x.points(), term % x.terms())) {
              const int tap = (a.tap * kernel[1] + b.tap) * kernel[2] + c.tap;
              taps.push_back({tap, a.factor * b.factor * c.factor});
            }
          }
        }
        for (int k = 0; k < layer.depth(); ++k) {
          std::fill(row.begin(), row.end(), 0.0);
          for (const Factor& tap : taps) {
            const float* weights = layer.row(tap.tap, k, group);
            for (int i = 0; i < layer.width(); ++i) row[i] += tap.factor * weights[i];
          }
          for (int block = 0; block < blocks; ++block) {
            const int first = block_start(block, blocks, layer.width());
            const int last = block_start(block + 1, blocks, layer.width());
            float* place = to + static_cast<int64_t>(first) * layer.depth() +
                           static_cast<int64_t>(k) * (last - first);
            for (int i = first; i < last; ++i) *place++ = static_cast<float>(row[i]);
          }
        }
        to += static_cast<int64_t>(layer.depth()) * layer.width();
      }
    }
  }
}

}  // namespace gk::lanes
