"""Sizes that wrap, divide by zero, agree by accident or ask for too much are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import Form, Network, Space, Value, geometry_integers
from tests.cases.native import run_operation

if library.unavailable():
    pytest.skip(str(library.unavailable()), allow_module_level=True)

_HUGE = 1 << 48  # bytes of an arena that is never made
_ONES = np.ones(6, np.float32)


def add(
    kind: str,
    inputs: Sequence[tuple[int, int]],
    output: tuple[int, int],
    integers: Sequence[int],
    form: Form = Form.LANES,
    **rest: Any,
) -> Network:
    """A network of one operation on values of these positions and channels."""
    with Network(16, _HUGE, threads=1) as network:
        network.add(
            kind,
            [Value(form, Space.ARENA, 0, *size) for size in inputs],
            [Value(form, Space.ARENA, 0, *output)],
            integers=integers,
            **rest,
        )
    return network


@pytest.mark.parametrize(
    ("kind", "size", "integers", "rest", "message"),
    [
        pytest.param(
            "instance_norm",
            (4, 0),
            (3, 0),
            {"numbers": (1e-5, 0.0), "arrays": (_ONES[:0], _ONES[:0])},
            "3 groups do not divide 0 channels",
            id="groups-of-no-channels",
        ),
        pytest.param(
            "instance_norm",
            (2**31 - 1, 0),
            (0, 0),
            {"numbers": (1e-5, 0.0), "arrays": (_ONES[:0], _ONES[:0])},
            "would list 2147483647 places",
            id="positions-of-nothing",
        ),
        pytest.param(
            "affine",
            (0, 2**16),
            (1, 0, 4, *(2**16,) * 4, *(1,) * 8),
            {"numbers": (0.0,), "arrays": (None, None)},
            "does not have the shape",
            id="shape-of-2-to-the-64",
        ),
        pytest.param(
            "slice",
            (3, 4),
            (1, 2, 3, 4, 1, 0, 2, 4, 2**63 - 2, 1),
            {},
            "is 9223372036854775806, not in",
            id="step-that-wraps",
        ),
        pytest.param(
            "slice",
            (3, 4),
            (1, 2, 3, 4, 1, 0, 3, 4, 2**31 - 1, 1),
            {},
            "does not have",
            id="step-beyond",
        ),
        pytest.param(
            "pad",
            (3, 4),
            (1, 0, 2, 3, 4, 2**63 - 1, 0, -(2**63), 0),
            {"numbers": (0.0,)},
            "not in",
            id="padding-that-wraps",
        ),
        pytest.param(
            "permute", (6, 4), (1, 2, 6, 4, 0, 2**31 - 1), {}, "no permutation", id="axis-far-away"
        ),
        pytest.param(
            "upsample",
            (3, 4),
            (1, 3, 1, 3, 4, 2**31 - 1, 2**31 - 1),
            {},
            "does not have the shape",
            id="scales-that-wrap",
        ),
        pytest.param(
            "resample",
            (2**31 - 1, 1),
            (1, 2, 2**31 - 1, 1, 2**31 - 1),
            {"arrays": (None,)},
            "would list 2147483647 places",
            id="own-inputs",
        ),
        pytest.param(
            "reduce", (2**30, 1), (1, 2, 2**30, 1, 1, 0), {}, "does not have", id="reduced-size"
        ),
    ],
)
def test_sizes(
    kind: str, size: tuple[int, int], integers: Sequence[int], rest: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        add(kind, [size], size, integers, **rest)


@pytest.mark.parametrize(
    ("kind", "form"),
    [("lanes_convolution", Form.LANES), ("positions_convolution", Form.PLAIN)],
    ids=["lanes", "positions"],
)
def test_a_map_of_no_positions_is_not_any_map(kind: str, form: Form) -> None:
    geometry = Geometry("forward", (0,), (0,), (1,), (1,), (0,), (1,))
    more = (0,) if form == Form.LANES else ()
    numbers = (0.0,) if form == Form.LANES else (0.0, -1.0, 1.0)
    with pytest.raises(ValueError, match=r"positions"):
        add(
            kind,
            [(5, 1)],
            (5, 1),
            [*geometry_integers(geometry), 1, 1, 1, 0, *more],
            form,
            numbers=numbers,
            arrays=[_ONES[:1], None],
        )


@pytest.mark.parametrize(
    ("geometry", "channels", "message"),
    [
        (Geometry.transposed((4,), (2**13,), 2**13, 0), 1, "channels in the outputs of a stride"),
        (Geometry.transposed((4, 4), (4, 4), 2, 1), 2000, "8000 channels in the outputs"),
        (Geometry("transposed", (4,), (4,), (2,), (1,), (0,), (2**28,)), 1, "reaches over"),
    ],
    ids=["stride", "channels", "dilation"],
)
def test_images_whose_products_are_absurd(
    geometry: Geometry, channels: int, message: str, best_set: str
) -> None:
    if best_set not in ("avx512_bf16", "amx"):
        pytest.skip(f"{best_set} does not multiply bfloat16")
    taps = int(np.prod(geometry.kernel))
    with Network(16, _HUGE, threads=1) as network, pytest.raises(ValueError, match=message):
        network.add(
            "rows_images",
            [Value(Form.ROWS, Space.ARENA, 0, geometry.positions_in, 1)],
            [Value(Form.IMAGES, Space.OUTPUT, 0, geometry.positions_out, channels)],
            integers=[*geometry_integers(geometry), 1, channels, 1, 0],
            numbers=[0.0, -1.0, 1.0],
            arrays=[np.ones(taps * channels, np.float32), None],
        )


def test_many_phases_are_no_many_loops(best_set: str) -> None:
    """A stride of half a billion: one product for each of the outputs that there are."""
    if best_set not in ("avx512_bf16", "amx"):
        pytest.skip(f"{best_set} does not multiply bfloat16")
    geometry = Geometry("transposed", (1,), (3,), (1,), (2**29 - 1,), (0,), (1,))
    with Network(16, 1 << 16, threads=1) as network:
        network.add(
            "rows_convolution",
            [Value(Form.ROWS, Space.ARENA, 0, 1, 1)],
            [Value(Form.ROWS, Space.ARENA, 4096, 3, 1)],
            integers=[*geometry_integers(geometry), 1, 1, 1, 0],
            numbers=[0.0],
            arrays=[_ONES[:1], None],
        )
        assert network.weight_bytes < 10_000


def test_windows_share_their_lists() -> None:
    geometry = Geometry("forward", (64, 64), (64, 64), (33, 33), (1, 1), (16, 16), (1, 1))
    with Network(16, 1 << 22, threads=1) as network:
        value = Value(Form.LANES, Space.ARENA, 0, 64 * 64, 1)
        network.add("pool", [value], [value], integers=[1, *geometry_integers(geometry), 0, 1])
        # One by one the inputs of all windows would take 28 MB.
        assert network.weight_bytes < 4_000_000


@pytest.mark.parametrize("rows", [1, 32])
def test_rows_that_are_as_many_as_channels(rows: int, best_set: str) -> None:
    """A vector of 32 channels: in bfloat16 they are not cut into bands, and none is left out."""
    x = np.linspace(-1, 1, 3 * 32, dtype=np.float32).reshape(3, 32)

    def run(form: Form) -> Any:
        return run_operation(
            "affine",
            [x],
            (32,),
            form=form,
            capacity=16,
            instruction_set=best_set,
            integers=[rows, 0, 1, 32, 1, 1],
            numbers=[0.0],
            arrays=[np.float32([2.0]), None],
            rows=rows,
        )

    np.testing.assert_array_equal(run(Form.LANES), 2 * x)
    if rows == 1:
        np.testing.assert_allclose(run(Form.ROWS), 2 * x, rtol=2**-7)
    else:
        with pytest.raises(ValueError, match="32 rows do not divide 1"):
            run(Form.ROWS)
