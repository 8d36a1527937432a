// exp, log and what is made of them, on vectors. NaN and infinities follow C's functions; how exact
// each is, is bounded in tests/cases/native_functions.py. For FAMILY/kernels.cpp only.

#pragma once

#include "isa/vector.h"

namespace gk {
namespace {

// x = n ln 2 + r with |r| <= ln 2 / 2; n both as a number and as an integer.
struct Reduced {
  Vector r;
  Vector n;
  Integers exponent;
};

GK_INLINE Reduced reduce_by_ln2(Vector x) {
  // Adding 1.5 * 2^23 rounds to an integer, in the lowest bits.
  const Vector round = broadcast(12582912.0f);
  const Vector shifted = multiply_add(x, broadcast(1.44269504088896341f), round);
  const Vector n = shifted - round;
  // ln 2 in two parts, the first of 9 bits: its product with n is exact (Cephes expf).
  Vector r = multiply_add(n, broadcast(-0.693359375f), x);
  r = multiply_add(n, broadcast(2.12194440e-4f), r);
  return {r, n, bits_of(shifted) - bits_of(round)};
}

// exp(r) - 1 for |r| <= ln 2 / 2 (Cephes expf).
GK_INLINE Vector small_expm1(Vector r) {
  Vector p = broadcast(1.9875691500e-4f);
  p = multiply_add(p, r, broadcast(1.3981999507e-3f));
  p = multiply_add(p, r, broadcast(8.3334519073e-3f));
  p = multiply_add(p, r, broadcast(4.1665795894e-2f));
  p = multiply_add(p, r, broadcast(1.6666665459e-1f));
  p = multiply_add(p, r, broadcast(5.0000001201e-1f));
  return multiply_add(p * r, r, r);
}

GK_INLINE Vector power_of_two(Integers exponent) { return of_bits(shift_left(exponent + 127, 23)); }

GK_INLINE Vector exp_of(Vector x) {
  // Beyond these, float32 has infinity and 0.
  x = at_least(at_most(x, broadcast(89.0f)), broadcast(-105.0f));
  const Reduced reduced = reduce_by_ln2(x);
  const Vector value = small_expm1(reduced.r) + 1.0f;
  // In two steps: 2^n alone may be beyond the range, or denormal.
  const Integers half = reduced.exponent >> 1;
  return value * power_of_two(half) * power_of_two(reduced.exponent - half);
}

// exp(x) - 1 for x <= 0.
GK_INLINE Vector expm1_of_negative(Vector x) {
  const Reduced reduced = reduce_by_ln2(at_least(x, broadcast(-40.0f)));
  const Vector scale = power_of_two(reduced.exponent);
  return multiply_add(small_expm1(reduced.r), scale, scale - 1.0f);
}

GK_INLINE Vector sigmoid_of(Vector x) { return 1.0f / (1.0f + exp_of(-x)); }

// log of a positive, finite, normal number (Cephes logf).
GK_INLINE Vector log_of_normal(Vector x) {
  // The mantissa in sqrt(1/2) .. sqrt(2).
  const Integers bits = bits_of(x);
  const Integers exponent = (bits - 0x3f3504f3) >> 23;
  const Vector f = of_bits(bits - shift_left(exponent, 23)) - 1.0f;
  const Vector n = __builtin_convertvector(exponent, Vector);
  Vector p = broadcast(7.0376836292e-2f);
  p = multiply_add(p, f, broadcast(-1.1514610310e-1f));
  p = multiply_add(p, f, broadcast(1.1676998740e-1f));
  p = multiply_add(p, f, broadcast(-1.2420140846e-1f));
  p = multiply_add(p, f, broadcast(1.4249322787e-1f));
  p = multiply_add(p, f, broadcast(-1.6668057665e-1f));
  p = multiply_add(p, f, broadcast(2.0000714765e-1f));
  p = multiply_add(p, f, broadcast(-2.4999993993e-1f));
  p = multiply_add(p, f, broadcast(3.3333331174e-1f));
  const Vector square = f * f;
  Vector low = multiply_add(n, broadcast(-2.12194440e-4f), p * f * square);
  low = multiply_add(square, broadcast(-0.5f), low);
  return multiply_add(n, broadcast(0.693359375f), f + low);
}

GK_INLINE Vector log_of(Vector x) {
  const Vector infinity = broadcast(__builtin_inff());
  const Integers tiny = x < broadcast(__FLT_MIN__);
  // Denormal numbers are made normal first; what has no logarithm is left out.
  const Vector normal = select(tiny, x * 8388608.0f, x);
  Vector result = log_of_normal(select(normal > Vector{}, normal, broadcast(1.0f)));
  result = select(tiny, result - 15.9423851528787f, result);
  result = select(x == Vector{}, -infinity, result);
  result = select(x < Vector{}, broadcast(__builtin_nanf("")), result);
  // Infinity and NaN are their own logarithms.
  return select((x < infinity), result, x);
}

// log(1 + u) for 0 <= u <= 1; what 1 + u loses is put back in proportion (Kahan).
GK_INLINE Vector log1p_of_fraction(Vector u) {
  const Vector sum = 1.0f + u;
  const Vector kept = sum - 1.0f;
  return select(kept == Vector{}, u, log_of_normal(sum) * (u / kept));
}

// log(1 + exp(x)).
GK_INLINE Vector softplus_of(Vector x) {
  const Vector more = log1p_of_fraction(exp_of(-magnitude(x)));
  return select(x == x, at_least(x, Vector{}) + more, x);
}

// A ratio of polynomials on [-4, 4], beyond which float32 has +-1 (the fit of Eigen's erf).
GK_INLINE Vector erf_of(Vector x) {
  const Vector inside = at_least(at_most(x, broadcast(4.0f)), broadcast(-4.0f));
  const Vector square = inside * inside;
  Vector top = broadcast(-2.72614225801306e-10f);
  top = multiply_add(top, square, broadcast(2.77068142495902e-08f));
  top = multiply_add(top, square, broadcast(-2.10102402082508e-06f));
  top = multiply_add(top, square, broadcast(-5.69250639462346e-05f));
  top = multiply_add(top, square, broadcast(-7.34990630326855e-04f));
  top = multiply_add(top, square, broadcast(-2.95459980854025e-03f));
  top = multiply_add(top, square, broadcast(-1.60960333262415e-02f));
  Vector bottom = broadcast(-1.45660718464996e-05f);
  bottom = multiply_add(bottom, square, broadcast(-2.13374055278905e-04f));
  bottom = multiply_add(bottom, square, broadcast(-1.68282697438203e-03f));
  bottom = multiply_add(bottom, square, broadcast(-7.37332916720468e-03f));
  bottom = multiply_add(bottom, square, broadcast(-1.42647390514189e-02f));
  const Vector value = inside * top / bottom;
  const Vector one = broadcast(1.0f);
  return select(x > 4.0f, one, select(x < -4.0f, -one, value));
}

// To the nearest even integer; numbers of 2^23 and more are integers already.
GK_INLINE Vector round_of(Vector x) {
  const Vector big = broadcast(8388608.0f);
  const Integers sign = bits_of(x) & INT32_MIN;
  const Vector rounded_magnitude = (magnitude(x) + big) - big;
  const Vector result = of_bits(bits_of(rounded_magnitude) | sign);
  return select(magnitude(x) < big, result, x);
}

}  // namespace
}  // namespace gk
