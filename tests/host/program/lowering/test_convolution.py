from __future__ import annotations

from typing import Any

import pytest

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

# (operator, spatial sizes, channels in, weight shape, attributes) -> padding, output size
CASES: dict[str, tuple[str, tuple[int, ...], int, tuple[int, ...], dict[str, Any], Any, Any]] = {
    "1x1 map": ("ConvTranspose", (1, 1), 5, (5, 3, 4, 4), {}, (0, 0), (4, 4)),
    "double": (
        "ConvTranspose",
        (3, 4),
        5,
        (5, 3, 4, 4),
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
        (1, 1),
        (6, 8),
    ),
    "uneven pads": (
        "ConvTranspose",
        (3, 4),
        2,
        (2, 3, 3, 5),
        {"strides": [2, 3], "pads": [0, 2, 1, 1]},
        (0, 2),
        (6, 11),
    ),
    "output padding": (
        "ConvTranspose",
        (3,),
        2,
        (2, 3, 3),
        {"strides": [2], "pads": [1, 1], "output_padding": [1]},
        (1,),
        (6,),
    ),
    "output shape": (
        "ConvTranspose",
        (3, 3),
        2,
        (2, 3, 4, 4),
        {"strides": [2, 2], "output_shape": [5, 7]},
        (2, 1),
        (5, 7),
    ),
    "output shape, upper": (
        "ConvTranspose",
        (3, 3),
        2,
        (2, 3, 4, 4),
        {"strides": [2, 2], "output_shape": [5, 7], "auto_pad": "SAME_UPPER"},
        (1, 0),
        (5, 7),
    ),
    "same upper": (
        "ConvTranspose",
        (3, 3),
        2,
        (2, 3, 3, 4),
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        (0, 1),
        (6, 6),
    ),
    "same lower": (
        "ConvTranspose",
        (3, 3),
        2,
        (2, 3, 3, 4),
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        (1, 1),
        (6, 6),
    ),
    "kernel below stride": (
        "ConvTranspose",
        (2, 2),
        2,
        (2, 3, 2, 2),
        {"strides": [3, 3]},
        (0, 0),
        (5, 5),
    ),
    "groups and dilation": (
        "ConvTranspose",
        (3, 3),
        4,
        (4, 3, 3, 2),
        {"group": 2, "dilations": [2, 1]},
        (0, 0),
        (7, 4),
    ),
    "volume": (
        "ConvTranspose",
        (2, 3, 1),
        2,
        (2, 2, 3, 4, 2),
        {"strides": [1, 2, 2], "pads": [1, 1, 0, 1, 1, 0]},
        (1, 1, 0),
        (2, 6, 2),
    ),
    "conv": ("Conv", (5, 6), 3, (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}, (1, 1), (5, 6)),
    "conv, uneven": (
        "Conv",
        (5, 6),
        3,
        (4, 3, 3, 2),
        {"pads": [0, 1, 2, 0], "strides": [2, 1]},
        (0, 1),
        (3, 6),
    ),
    "conv, same upper": (
        "Conv",
        (5, 6),
        3,
        (4, 3, 4, 3),
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        (1, 0),
        (3, 3),
    ),
    "conv, same lower": (
        "Conv",
        (5, 6),
        3,
        (4, 3, 4, 3),
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        (2, 1),
        (3, 3),
    ),
    "depthwise": ("Conv", (5, 6), 3, (6, 1, 3, 3), {"group": 3}, (0, 0), (3, 4)),
    "vocoder": ("Conv", (9,), 2, (3, 2, 3), {"dilations": [3], "pads": [3, 3]}, (3,), (9,)),
    "conv, volume": ("Conv", (3, 4, 3), 2, (2, 2, 2, 3, 1), {}, (0, 0, 0), (2, 2, 3)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_way_to_say_padding_is_a_begin_and_an_output_size(case: Any) -> None:
    operator, sizes, channels, weight, attributes, padding, output = case
    groups = attributes.get("group", 1)
    out = weight[0] if operator == "Conv" else weight[1] * groups
    proto = model(
        [node(operator, ["x", "w", "b"], "y", **attributes)],
        {"x": [BATCH, channels, *sizes]},
        {"w": floats(*weight), "b": floats(out, seed=1)},
    )
    program = agree(proto)
    operation = only(program, "convolution")
    assert kinds(program) == ["convolution"]
    assert operation.geometry.padding == padding
    assert operation.geometry.output_size == output
    assert operation.groups == groups
    assert program.outputs[0].shape == (*output, out)


def test_zeros_around_a_map_become_padding() -> None:
    proto = model(
        [node("Pad", ["x", "pads"], "p"), node("Conv", ["p", "w"], "y", pads=[1, 0, 0, 1])],
        {"x": [BATCH, 2, 4, 5]},
        {"pads": [0, 0, 1, 0, 0, 0, 2, 3], "w": floats(3, 2, 3, 3)},
    )
    operation = only(agree(proto), "convolution")
    assert operation.geometry.padding == (2, 0)
    assert operation.geometry.output_size == (6, 7)


def test_a_pad_that_mirrors_stays() -> None:
    proto = model(
        [node("Pad", ["x", "pads"], "p", mode="reflect"), node("Conv", ["p", "w"], "y")],
        {"x": [BATCH, 2, 4, 5]},
        {"pads": [0, 0, 1, 1, 0, 0, 1, 1], "w": floats(3, 2, 3, 3)},
    )
    assert kinds(agree(proto)) == ["pad", "convolution"]


@pytest.mark.parametrize(
    ("weight", "attributes", "reason"),
    [
        ((3, 2, 3, 3), {"pads": [-1, 0, 0, 0]}, "negative pads"),
        ((3, 4, 3, 3), {}, "2 channels for a weight of 4"),
        ((3, 2, 3), {}, "a kernel of 1 axes on a tensor of 2"),
        ((3, 2, 9, 9), {}, "its output would have the size"),
    ],
    ids=["negative pads", "channels", "rank", "too large a kernel"],
)
def test_convolutions_that_do_not_fit_are_refused(
    weight: tuple[int, ...], attributes: dict[str, Any], reason: str
) -> None:
    proto = model(
        [node("Conv", ["x", "w"], "y", **attributes)],
        {"x": [BATCH, 2, 4, 4]},
        {"w": floats(*weight)},
    )
    with pytest.raises(ExportError, match=rf"small: node 'node_y' \(Conv\): {reason}"):
        lower(proto)


def test_a_weight_that_depends_on_the_sample_is_refused() -> None:
    proto = model([node("Conv", ["x", "x"], "y")], {"x": [BATCH, 2, 4, 4]})
    with pytest.raises(ExportError, match="input 1 \\('x'\\) depends on the sample"):
        lower(proto)
