// Logarithm, sine and cosine in float64 for the arguments that random words make, within 1.5 units
// in the last place. Sums and products are rounded one by one (this family is compiled without
// contraction), so every instruction set gives the same bits. The polynomials are those of
// FreeBSD's msun (e_log.c, k_sin.c, k_cos.c; Sun Microsystems 1993). For random/kernels.cpp only.

#pragma once

#include "isa/doubles.h"

namespace gk {
namespace {

// log of a positive, normal number.
GK_INLINE Doubles log_of(Doubles x) {
  // x = 2^n (1 + f) with 1 + f in sqrt(1/2) .. sqrt(2).
  const uint64_t root = 0x3fe6a09e00000000;
  const Longs bits = long_bits(x) + (0x3ff0000000000000 - root);
  const Doubles f = of_long_bits((bits & 0x000fffffffffffff) + root) - 1.0;
  // An integer below 2^52 is the mantissa of itself plus 2^52.
  const Doubles n = of_long_bits((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0);
  const Doubles half_square = 0.5 * f * f;
  const Doubles s = f / (2.0 + f);
  const Doubles z = s * s;
  const Doubles w = z * z;
  const Doubles even =
      w * (3.999999999940941908e-01 +
           w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
  const Doubles odd =
      z * (6.666666666666735130e-01 +
           w * (2.857142874366239149e-01 +
                w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
  // ln 2 in two parts, the first of 32 bits: its product with n is exact.
  const Doubles low = s * (half_square + (even + odd)) + n * 1.90821492927058770002e-10;
  return n * 6.93147180369123816490e-01 - ((half_square - low) - f);
}

struct SineCosine {
  Doubles sine;
  Doubles cosine;
};

// Of 0 <= x < 2^20 that is a float32.
GK_INLINE SineCosine sine_cosine_of(Doubles x) {
  // x = n pi / 2 + r. Adding 1.5 * 2^52 rounds to an integer, in the lowest bits.
  const Doubles shifted = x * 6.36619772367581382433e-01 + 0x1.8p52;
  const Longs quadrant = long_bits(shifted);
  const Doubles n = shifted - 0x1.8p52;
  // pi / 2 in two parts, the first of 33 bits: its product with n and the difference are exact.
  const Doubles r = (x - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11;
  const Doubles z = r * r;
  const Doubles w = z * z;
  const Doubles sine_rest =
      8.33333333332248946124e-03 +
      z * (-1.98412698298579493134e-04 + z * 2.75573137070700676789e-06) +
      z * w * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10);
  const Doubles sine = r + z * r * (-1.66666666666666324348e-01 + z * sine_rest);
  const Doubles cosine_rest =
      z * (4.16666666666666019037e-02 +
           z * (-1.38888888888741095749e-03 + z * 2.48015872894767294178e-05)) +
      w * w *
          (-2.75573143513906633035e-07 +
           z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11));
  const Doubles half = 0.5 * z;
  const Doubles near = 1.0 - half;
  const Doubles cosine = near + (((1.0 - near) - half) + z * cosine_rest);
  // Odd quadrants swap the two; the signs are those of the half circle.
  const Mask swap = (quadrant & 1) != 0;
  const Longs sine_sign = (quadrant & 2) << 62;
  const Longs cosine_sign = ((quadrant + 1) & 2) << 62;
  return {of_long_bits(long_bits(swap ? cosine : sine) ^ sine_sign),
          of_long_bits(long_bits(swap ? sine : cosine) ^ cosine_sign)};
}

}  // namespace
}  // namespace gk
