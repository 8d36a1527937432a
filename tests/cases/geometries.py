"""Convolution shapes that all tiers share, by name: smallest, odd, real layers, edges.

`geometries()` is the hypothesis strategy over the same space.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kernels.geometry import Geometry

TRANSPOSED: dict[str, Geometry] = {
    "one_pixel": Geometry.transposed((1, 1), (1, 1)),
    "first_layer": Geometry.transposed((1, 1), (4, 4)),
    "dcgan": Geometry.transposed((4, 4), (4, 4), 2, 1),
    "dcgan_odd_map": Geometry.transposed((5, 3), (4, 4), 2, 1),
    "k3_s2_output_padding": Geometry.transposed((3, 4), (3, 3), 2, 1, 1),
    "k5_s2": Geometry.transposed((4, 3), (5, 5), 2, 2, 1),
    "kernel_below_stride": Geometry.transposed((3, 3), (2, 2), 3),
    "kernel_1_stride_2": Geometry.transposed((3, 2), (1, 1), 2, 0, 1),
    "s1_same": Geometry.transposed((5, 5), (3, 3), 1, 1),
    "uneven_axes": Geometry.transposed((3, 5), (5, 2), (3, 1), (1, 0), (2, 0)),
    "dilated": Geometry.transposed((4, 4), (3, 3), 2, 1, 1, 2),
    "padding_past_the_map": Geometry.transposed((3, 3), (5, 5), 1, 3),
    "nothing_left": Geometry.transposed((1, 1), (2, 2), 1, 1),
    "high_side_cut": Geometry("transposed", (3, 3), (5, 6), (4, 4), (2, 2), (1, 0), (1, 1)),
    "past_all_taps": Geometry("transposed", (2, 2), (9, 7), (3, 3), (2, 2), (0, 1), (1, 1)),
    "vocoder": Geometry.transposed((9,), (16,), 8, 4),
    "one_axis_odd": Geometry.transposed((7,), (3,), 2, 0, 1),
    "volume": Geometry.transposed((2, 2, 2), (4, 4, 4), 2, 1),
    "volume_uneven": Geometry.transposed((2, 1, 3), (3, 4, 2), (1, 2, 3), (1, 1, 0), (0, 1, 1)),
}

FORWARD: dict[str, Geometry] = {
    "k1": Geometry.forward((4, 3), (1, 1)),
    "k3": Geometry.forward((6, 5), (3, 3), 1, 1),
    "k7": Geometry.forward((7, 8), (7, 7), 1, 3),
    "k4_s2": Geometry.forward((8, 6), (4, 4), 2, 1),
    "k3_s2_odd": Geometry.forward((7, 5), (3, 3), 2, 1),
    "stride_past_kernel": Geometry.forward((9, 8), (2, 2), 3),
    "one_sided_padding": Geometry("forward", (5, 5), (5, 5), (2, 3), (1, 1), (0, 2), (1, 1)),
    "dilated_1d": Geometry.forward((17,), (3,), 1, 5, 5),
    "volume": Geometry.forward((3, 4, 5), (3, 3, 3), (1, 2, 1), 1),
    "linear": Geometry("forward", (), (), (), (), (), ()),
}


def geometries(direction: str | None = None) -> st.SearchStrategy[Geometry]:
    """Small geometries of 1 to 3 axes that PyTorch can express too."""
    directions = ("forward", "transposed") if direction is None else (direction,)
    return st.tuples(st.integers(1, 3), st.sampled_from(directions)).flatmap(
        lambda choice: _geometries(*choice)
    )


@st.composite
def _geometries(draw: st.DrawFn, rank: int, direction: str) -> Geometry:
    def axes(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(rank))

    size, kernel = axes(1, 5), axes(1, 4)
    options: dict[str, Any] = {"stride": axes(1, 3), "dilation": axes(1, 2)}
    reach = [gap * (k - 1) for gap, k in zip(options["dilation"], kernel, strict=True)]
    if direction == "forward":
        # Enough padding that at least one window fits.
        options["padding"] = tuple(
            draw(st.integers(max(0, -((i - 1 - r) // 2)), r + 1))
            for i, r in zip(size, reach, strict=True)
        )
        return Geometry.forward(size, kernel, **options)
    options["output_padding"] = tuple(
        draw(st.integers(0, max(s, d) - 1))
        for s, d in zip(options["stride"], options["dilation"], strict=True)
    )
    full = Geometry.transposed(size, kernel, **options).output_size
    options["padding"] = tuple(draw(st.integers(0, min(3, o // 2))) for o in full)
    return Geometry.transposed(size, kernel, **options)
