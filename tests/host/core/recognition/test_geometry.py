"""Strides and paddings that lead from a latent to a usual size."""

from __future__ import annotations

import pytest

from engine.core.recognition.geometry import Geometry, Sized, encoders, final_side, layouts


def up(*kernels: int) -> list[Sized]:
    return [Sized(kernel, transposed=True) for kernel in kernels]


@pytest.mark.parametrize(
    ("start", "layers", "expected", "side"),
    [
        pytest.param(1, up(4, 4, 4, 4, 4), [(1, 0, 0)] + [(2, 1, 0)] * 4, 64, id="dcgan"),
        pytest.param(1, up(7, 4, 4), [(1, 0, 0), (2, 1, 0), (2, 1, 0)], 28, id="mnist-k7"),
        pytest.param(4, up(5, 5, 5), [(2, 2, 1)] * 3, 32, id="k5"),
        pytest.param(7, up(4, 4, 3), [(2, 1, 0), (2, 1, 0), (1, 1, 0)], 28, id="k3-at-the-end"),
        pytest.param(2, up(3, 3, 3, 3), [(2, 1, 1)] * 4, 32, id="k3"),
        pytest.param(8, up(2, 2), [(2, 0, 0)] * 2, 32, id="k2"),
        pytest.param(8, up(6, 6), [(2, 2, 0)] * 2, 32, id="k6"),
        pytest.param(3, up(3, 3, 3), [(2, 0, 0), (2, 1, 1), (2, 1, 1)], 28, id="3-7-14-28"),
        pytest.param(
            1, up(3, 4, 3, 4), [(1, 0, 0), (1, 0, 0), (2, 0, 0), (2, 0, 0)], 28, id="no-padding"
        ),
        pytest.param(16, up(25, 25, 25), [(4, 11, 1)] * 3, 1024, id="wavegan"),
        pytest.param(
            8,
            [Sized(3, transposed=False, upsample=2), Sized(3, transposed=False, upsample=2)],
            [(1, 1, 0)] * 2,
            32,
            id="upsample-conv",
        ),
    ],
)
def test_most_usual_layout(
    start: int, layers: list[Sized], expected: list[tuple[int, int, int]], side: int
) -> None:
    best = layouts(start, layers)[0]
    assert [(item.stride, item.padding, item.output_padding) for item in best] == expected
    assert final_side(start, layers, best) == side


def test_final_side_of_nothing_left_is_zero() -> None:
    assert final_side(1, up(4), [Geometry(1, 2)]) == 0


def test_encoder_strides() -> None:
    assert encoders(64, [3, 3, 3], 8)[0] == (Geometry(2, 1),) * 3
    assert encoders(32, [4, 4], 8)[0] == (Geometry(2, 1),) * 2
    assert encoders(32, [3], 5) == []
