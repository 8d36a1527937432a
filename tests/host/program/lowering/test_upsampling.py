"""Two operations that are one transposed convolution; whole numbers make the comparison exact."""

from __future__ import annotations

import numpy as np
import pytest

from tests.host.program.lowering.support import (
    BATCH,
    agree,
    floats,
    kinds,
    model,
    node,
    only,
    wholes,
)


def resize(source: str, made: str) -> object:
    return node(
        "Resize",
        [source, "", "scales"],
        made,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


@pytest.mark.parametrize(
    ("kernel", "pads", "scales", "groups"),
    [
        ((3, 3), (1, 1, 1, 1), (2, 2), 1),
        ((5, 3), (2, 1, 1, 0), (3, 2), 1),
        ((1, 1), (0, 0, 0, 0), (2, 2), 1),
        ((4, 2), (0, 0, 2, 1), (2, 3), 2),
        ((3, 3), (1, 1, 1, 1), (1, 2), 1),
    ],
    ids=["usual", "uneven", "pointwise", "groups", "one axis"],
)
def test_nearest_upsampling_and_convolution(
    kernel: tuple[int, int], pads: tuple[int, ...], scales: tuple[int, int], groups: int
) -> None:
    proto = model(
        [resize("x", "u"), node("Conv", ["u", "w", "b"], "y", pads=list(pads), group=groups)],
        {"x": [BATCH, 4, 3, 4]},
        {
            "w": wholes(6, 4 // groups, *kernel),
            "b": wholes(6),
            "scales": np.array([1, 1, *scales], np.float32),
        },
    )
    program = agree(proto, tolerance=0.0, whole=True)
    operation = only(program, "convolution")
    assert kinds(program) == ["convolution"]
    assert operation.geometry.direction == "transposed"
    assert operation.geometry.kernel == tuple(
        k + s - 1 for k, s in zip(kernel, scales, strict=True)
    )
    assert operation.geometry.stride == scales


def test_what_lies_between_moves_before_the_upsampling() -> None:
    nodes = [
        node("Conv", ["x", "v"], "a"),
        resize("a", "u"),
        node("Relu", ["u"], "r"),
        node("Conv", ["r", "w"], "y", pads=[1, 1, 1, 1]),
    ]
    constants = {
        "v": wholes(4, 4, 1, 1),
        "w": wholes(2, 4, 3, 3, seed=1),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    program = agree(model(nodes, {"x": [BATCH, 4, 3, 4]}, constants), tolerance=0.0, whole=True)
    assert kinds(program) == ["convolution", "convolution"]
    assert program.operations[0].activation.kind == "relu"


@pytest.mark.parametrize(
    "attributes", [{"strides": [2, 2]}, {"dilations": [2, 2]}, {"pads": [3, 0, 0, 0]}], ids=str
)
def test_other_convolutions_stay_apart(attributes: dict[str, list[int]]) -> None:
    constants = {"w": wholes(2, 4, 3, 3), "scales": np.array([1, 1, 2, 2], np.float32)}
    nodes = [resize("x", "u"), node("Conv", ["u", "w"], "y", **attributes)]
    program = agree(model(nodes, {"x": [BATCH, 4, 3, 4]}, constants), tolerance=0.0, whole=True)
    assert kinds(program) == ["upsample", "convolution"]


def test_an_upsampled_map_that_two_read_stays() -> None:
    nodes = [
        resize("x", "u"),
        node("Conv", ["u", "w"], "c", pads=[1, 1, 1, 1]),
        node("Add", ["u", "c"], "y"),
    ]
    constants = {"w": floats(4, 4, 3, 3), "scales": np.array([1, 1, 2, 2], np.float32)}
    assert kinds(agree(model(nodes, {"x": [BATCH, 4, 3, 4]}, constants))) == [
        "upsample",
        "convolution",
        "add",
    ]


@pytest.mark.parametrize("order", ["DCR", "CRD", "reshape"])
@pytest.mark.parametrize(
    ("kernel", "pads"), [((3, 3), [1, 1, 1, 1]), ((4, 2), [0, 1, 2, 0])], ids=str
)
def test_convolution_and_pixel_shuffle(
    order: str, kernel: tuple[int, int], pads: list[int]
) -> None:
    if order == "reshape":
        shuffle = [
            node("Reshape", ["r", "apart"], "s"),
            node("Transpose", ["s"], "t", perm=[0, 1, 4, 2, 5, 3]),
            node("Reshape", ["t", "together"], "y"),
        ]
    else:
        shuffle = [node("DepthToSpace", ["r"], "y", blocksize=2, mode=order)]
    height, width = 3 + pads[0] + pads[2] - kernel[0] + 1, 4 + pads[1] + pads[3] - kernel[1] + 1
    proto = model(
        [node("Conv", ["x", "w"], "c", pads=pads), node("Relu", ["c"], "r"), *shuffle],
        {"x": [BATCH, 2, 3, 4]},
        {
            "w": wholes(12, 2, *kernel),
            "apart": [0, 3, 2, 2, height, width],
            "together": [0, 3, 2 * height, 2 * width],
        },
    )
    program = agree(proto, tolerance=0.0, whole=True)
    operation = only(program, "convolution")
    assert kinds(program) == ["convolution"]
    assert operation.geometry.kernel == tuple(2 * k for k in kernel)
    assert operation.activation.kind == "relu"


def test_a_shift_that_differs_within_a_block_keeps_the_shuffle() -> None:
    nodes = [node("Conv", ["x", "w", "b"], "c"), node("DepthToSpace", ["c"], "y", blocksize=2)]
    constants = {"w": floats(8, 2, 1, 1), "b": floats(8)}
    program = agree(model(nodes, {"x": [BATCH, 2, 3, 4]}, constants))
    assert kinds(program) == ["convolution", "reshape", "permute", "reshape"]


MODES = {
    "nearest, ceil": {"mode": "nearest", "nearest_mode": "ceil"},
    "nearest, half up": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "linear": {"mode": "linear"},
    "linear, corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "cubic": {"mode": "cubic", "cubic_coeff_a": -0.5},
    "cubic, inside": {"mode": "cubic", "exclude_outside": 1},
    "linear, asymmetric": {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    "linear, pytorch": {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
}


@pytest.mark.parametrize("attributes", MODES.values(), ids=MODES)
@pytest.mark.parametrize("sizes", [(6, 8), (5, 11), (2, 3)], ids=str)
def test_resampling(attributes: dict[str, object], sizes: tuple[int, int]) -> None:
    proto = model(
        [node("Resize", ["x", "", "", "sizes"], "y", **attributes)],
        {"x": [1, 3, 3, 4]},
        {"sizes": np.array([1, 3, *sizes], np.int64)},
    )
    agree(proto)


def test_upsample_of_opset_9() -> None:
    proto = model(
        [node("Upsample", ["x", "scales"], "y", mode="nearest")],
        {"x": [BATCH, 3, 3, 4]},
        {"scales": np.array([1, 1, 2, 3], np.float32)},
        opset=9,
    )
    assert only(agree(proto), "upsample").scales == (2, 3)
