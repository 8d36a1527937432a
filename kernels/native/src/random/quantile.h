// The standard normal quantile in float64: Wichura, Algorithm AS 241 (PPND16), Applied Statistics
// 37 (1988). For random/kernels.cpp only.

#pragma once

#include "random/functions.h"

namespace gk {
namespace {

// A ratio of polynomials, highest power first; the last power of the denominator is 1.
struct Ratio {
  double top[8];
  double bottom[7];
};

constexpr Ratio kCentre = {
    {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0},
    {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1}};
constexpr Ratio kMiddle = {
    {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0},
    {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0}};
constexpr Ratio kTail = {
    {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0},
    {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1}};

GK_INLINE Doubles ratio_of(const Ratio& ratio, Doubles x) {
  Doubles top = doubles(ratio.top[0]);
  for (int i = 1; i < 8; ++i) top = top * x + ratio.top[i];
  Doubles bottom = doubles(ratio.bottom[0]);
  for (int i = 1; i < 7; ++i) bottom = bottom * x + ratio.bottom[i];
  return top / (bottom * x + 1.0);
}

// Of probabilities in (0, 1).
GK_INLINE Doubles quantile_of(Doubles probability) {
  const Doubles centred = probability - 0.5;
  const Doubles inner = centred * ratio_of(kCentre, 0.180625 - centred * centred);
  const Mask outside = (centred > 0.425) | (centred < -0.425);
  if (!any(outside)) return inner;
  const Doubles other = 1.0 - probability;
  const Doubles r = square_root(-log_of(probability < other ? probability : other));
  Doubles outer = ratio_of(kMiddle, r - 1.6);
  const Mask far = r > 5.0;
  if (any(far)) outer = far ? ratio_of(kTail, r - 5.0) : outer;
  return outside ? (centred < 0.0 ? -outer : outer) : inner;
}

}  // namespace
}  // namespace gk
