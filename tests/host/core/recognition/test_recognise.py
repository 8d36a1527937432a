"""Recognition of generators from names and shapes alone, and refusal of what is none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from engine.core.errors import ArtifactError, OptionError
from engine.core.recognition.recognise import recognise

Tensors = dict[str, np.ndarray]
RANDOM = np.random.default_rng(0)


def conv(*shape: int, bias: int = 0) -> Tensors:
    tensors = {"weight": RANDOM.normal(size=shape).astype(np.float32)}
    return tensors | ({"bias": np.zeros(bias, np.float32)} if bias else {})


def norm(width: int) -> Tensors:
    ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
    return {
        "weight": ones,
        "bias": zeros,
        "running_mean": zeros,
        "running_var": ones,
        "num_batches_tracked": np.zeros((), np.int64),
    }


def state(**layers: Tensors) -> Tensors:
    """Layers by name, '__' for the dot."""
    return {
        f"{name.replace('__', '.').strip('_')}.{leaf}": tensor
        for name, tensors in layers.items()
        for leaf, tensor in tensors.items()
    }


def dcgan(index: tuple[int, ...] = (0, 1, 3, 4, 6), latent: int = 10) -> Tensors:
    first, bn1, second, bn2, third = (f"main__{i}" for i in index)
    return state(
        **{
            first: conv(latent, 32, 4, 4),
            bn1: norm(32),
            second: conv(32, 16, 4, 4),
            bn2: norm(16),
            third: conv(16, 3, 4, 4),
        }
    )


def operations(found: Any) -> list[str]:
    return [record["op"] for record in found.arguments["decoder"]]


def test_dcgan() -> None:
    found = recognise(
        {"netG_state_dict": dcgan(), "netD_state_dict": {"0.weight": np.ones((3, 3))}}
    )
    assert found.family == "dcgan"
    assert found.arguments["latent"] == 10
    assert found.output == (3, 16, 16)
    assert operations(found) == [
        "reshape",
        *("conv_transpose", "batch_norm", "relu") * 2,
        "conv_transpose",
        "tanh",
    ]
    first, second = (r for r in found.arguments["decoder"][:5] if r["op"] == "conv_transpose")
    assert (first["stride"], first["padding"]) == (1, 0)
    assert (second["stride"], second["padding"]) == (2, 1)
    assert found.key_map["decoder.layers.1.weight"] == "main.0.weight"
    text = "\n".join(found.assumptions)
    for subject in ("netG_state_dict", "stride 2 padding 1", "relu", "tanh", "eps 1e-05", "normal"):
        assert subject in text


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        pytest.param((0, 1, 2, 3, 4), [], id="no-activations"),
        pytest.param((0, 1, 4, 5, 8), ["relu", "relu"], id="dropout-too"),
        pytest.param((0, 2, 3, 5, 6), ["relu", "relu"], id="activation-before-norm"),
    ],
)
def test_gaps_in_a_sequential_tell_the_activations(
    index: tuple[int, ...], expected: list[str]
) -> None:
    found = operations(recognise(dcgan(index)))
    assert [op for op in found if op == "relu"] == expected
    if index[1] == 2:
        assert found[1:4] == ["conv_transpose", "relu", "batch_norm"]


def test_keys_in_the_order_of_safetensors() -> None:
    tensors = dcgan((0, 1, 3, 10, 12))
    found = recognise({key: tensors[key] for key in sorted(tensors)})
    assert found.output == (3, 16, 16)
    sources = [found.key_map[k] for k in found.weights if k.endswith("weight")]
    assert sources == [f"main.{i}.weight" for i in (0, 1, 3, 10, 12)]


def test_norms_registered_behind_all_convolutions() -> None:
    tensors = state(
        conv1=conv(10, 32, 4, 4),
        conv2=conv(32, 32, 4, 4),
        conv3=conv(32, 1, 4, 4),
        bn1=norm(32),
        bn2=norm(32),
    )
    found = recognise(tensors)
    weights = [found.key_map[k] for k in found.weights if k.endswith("running_mean")]
    assert weights == ["bn1.running_mean", "bn2.running_mean"]
    assert operations(found)[1:7] == ["conv_transpose", "batch_norm", "relu"] * 2


def test_classes_take_the_last_inputs() -> None:
    found = recognise(dcgan(latent=30), classes=10)
    assert (found.arguments["latent"], found.arguments["classes"]) == (20, 10)
    with pytest.raises(OptionError, match="classes=30"):
        recognise(dcgan(latent=30), classes=30)


@pytest.mark.parametrize(
    ("width", "latent", "combine"),
    [(4, 6, "last"), (10, 10, "multiply")],
    ids=["concatenated", "multiplied"],
)
def test_embedding(width: int, latent: int, combine: str) -> None:
    tensors = state(embed=conv(7, width)) | dcgan()
    found = recognise(tensors)
    arguments = found.arguments
    assert (arguments["classes"], arguments["latent"]) == (7, latent)
    assert (arguments["embedding"], arguments["combine"]) == (width, combine)
    assert found.weights["decoder.embedding.weight"].shape == (7, width)


def test_upsampling_shows_in_the_gaps() -> None:
    tensors = state(
        l1__0=conv(8 * 64, 20, bias=8 * 64),
        conv_blocks__0=norm(8),
        conv_blocks__2=conv(8, 8, 3, 3, bias=8),
        conv_blocks__3=norm(8),
        conv_blocks__6=conv(4, 8, 3, 3, bias=4),
        conv_blocks__7=norm(4),
        conv_blocks__9=conv(1, 4, 3, 3, bias=1),
    )
    found = recognise(tensors)
    assert found.output == (1, 32, 32)
    assert operations(found) == [
        *("linear", "reshape", "batch_norm", "upsample", "conv", "batch_norm", "leaky_relu"),
        *("upsample", "conv", "batch_norm", "leaky_relu", "conv", "tanh"),
    ]
    eps = [r["eps"] for r in found.arguments["decoder"] if r["op"] == "batch_norm"]
    assert eps == [1e-5, 0.8, 0.8]


def test_fully_connected() -> None:
    found = recognise(
        state(_0=conv(64, 10, bias=64), _2=conv(3 * 256, 64, bias=3 * 256)),
        overrides={"output_activation": "sigmoid"},
    )
    assert found.family == "gan-mlp"
    assert found.output == (3, 16, 16)
    assert operations(found) == ["linear", "leaky_relu", "linear", "sigmoid", "reshape"]
    assert found.arguments["output_range"] == [0.0, 1.0]


def test_vae_of_fully_connected_layers() -> None:
    found = recognise(
        state(
            fc1=conv(40, 784, bias=40),
            fc21=conv(5, 40, bias=5),
            fc22=conv(5, 40, bias=5),
            fc3=conv(40, 5, bias=40),
            fc4=conv(784, 40, bias=784),
        )
    )
    assert (found.family, found.output, found.arguments["latent"]) == ("vae", (1, 28, 28), 5)
    assert operations(found) == ["linear", "relu", "linear", "sigmoid", "reshape"]
    encoder = found.arguments["encoder"]
    assert [record["op"] for record in encoder["layers"]] == ["flatten", "linear", "relu"]
    assert found.key_map["encoder.logvar.weight"] == "fc22.weight"


def test_an_unclear_encoder_is_left_out_and_said_so() -> None:
    found = recognise(
        state(
            encoder__0=conv(8, 1, 5, 5, bias=8),
            mu=conv(4, 77, bias=4),
            logvar=conv(4, 77, bias=4),
            decoder__0=conv(256, 4, bias=256),
            decoder__2=conv(784, 256, bias=784),
        )
    )
    assert found.arguments["encoder"] is None
    assert any(line.startswith("encoder: left out") for line in found.assumptions)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        pytest.param(
            state(_0=conv(8, 3, 4, 4), _2=conv(16, 8, 4, 4), _4=conv(1, 16, 4, 4)),
            "looks like a discriminator",
            id="discriminator",
        ),
        pytest.param(
            state(_0=conv(8, 784, bias=8), _2=conv(1, 8, bias=1)),
            "784 values in and 1 out",
            id="linear-discriminator",
        ),
        pytest.param(
            state(_0=conv(16, 3, 3, 3), _2=conv(16, 3, 4, 4)),
            "image-to-image",
            id="super-resolution",
        ),
        pytest.param(
            state(_0=conv(10, 32, 4, 4), shortcut=conv(32, 16, 1, 1), _2=conv(32, 16, 4, 4)),
            "'shortcut' belongs to a network with branches",
            id="residual",
        ),
        pytest.param(
            state(_0=conv(10, 32, 4, 4), _2=conv(33, 3, 4, 4)), "do not form one chain", id="broken"
        ),
        pytest.param({"lstm.weight_ih_l0": np.ones((8, 3))}, "none that is known", id="lstm"),
    ],
)
def test_refuses(tensors: Tensors, message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        recognise(tensors)
    assert "--arch module:factory" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"width": 3}, "unknown argument 'width'.*hidden_activation"),
        ({"hidden_activation": "swish"}, "hidden_activation='swish'; known are relu"),
        ({"geometry": [[1, 0, 0]]}, "geometry names 1 convolutions, the network has 3"),
        ({"geometry": "x"}, r"geometry='x' must be a list of \[stride, padding"),
        ({"geometry": [[4, 1.5, 0]] * 3}, r"geometry=\[\[4, 1\.5, 0\].* whole numbers"),
        ({"geometry": [[0, 0, 0]] * 3}, r"geometry=\[\[0, 0, 0\]"),
        ({"geometry": [[1, 0, 0], [2, 1, 5], [2, 1, 0]]}, "output padding 5.*stride 2"),
        ({"batch_norm_eps": "x"}, "batch_norm_eps='x' must be a number of at least 0"),
        ({"batch_norm_eps": -1}, "batch_norm_eps=-1 must be a number of at least 0"),
        ({"batch_norm_eps": []}, r"batch_norm_eps=\[\] must be"),
        ({"output_shape": 5}, "output_shape=5 must be a list of whole numbers"),
        ({"slope": "a"}, "slope='a' must be a number"),
        ({"projection_activation": "no"}, "projection_activation='no' must be true, false"),
        ({"transposed": [1, 1, 1]}, r"transposed=\[1, 1, 1\] must be a list of true"),
        ({"transposed": [True]}, "transposed names 1 convolutions, the network has 3"),
        ({"transposed": [True, True, False]}, "'main.6' with the weight .* from 16 to 3"),
    ],
)
def test_bad_overrides(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        recognise(dcgan(), overrides=overrides)


def test_overrides() -> None:
    found = recognise(
        dcgan(),
        overrides={
            "hidden_activation": "leaky_relu",
            "slope": 0.1,
            "batch_norm_eps": 0.8,
            "geometry": [[1, 0, 0], [2, 1, 0], [1, 0, 0]],
        },
    )
    records = found.arguments["decoder"]
    assert {"op": "leaky_relu", "slope": 0.1} in records
    assert {r["eps"] for r in records if r["op"] == "batch_norm"} == {0.8}
    assert found.output == (3, 11, 11)
    assert "hidden_activation" not in found.alternatives


@pytest.mark.parametrize("heads", [("fc_mean", "fc_logvar"), ("fc_logvar", "fc_mean")])
def test_either_head_of_a_vae_may_come_first(heads: tuple[str, str]) -> None:
    tensors = state(
        fc1=conv(100, 784, bias=100),
        **{name: conv(12, 100, bias=12) for name in heads},
        fc2=conv(100, 12, bias=100),
        fc3=conv(784, 100, bias=784),
    )
    found = recognise(tensors)
    assert (found.arguments["latent"], found.arguments["classes"]) == (12, 0)
    assert found.key_map["encoder.mean.weight"] == "fc_mean.weight"
    assert found.key_map["encoder.logvar.weight"] == "fc_logvar.weight"
    assert found.key_map["decoder.layers.0.weight"] == "fc2.weight"


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("std", "encoder: left out, its head 'std' gives a deviation"),
        ("fc_sigma", "encoder: left out, its head 'fc_sigma' gives a deviation"),
        ("fc_var", "encoder: the head 'fc_var' was taken for a log variance"),
    ],
)
def test_heads_that_are_not_called_log_variance(head: str, line: str) -> None:
    tensors = state(
        enc=conv(100, 784, bias=100),
        mu=conv(12, 100, bias=12),
        **{head: conv(12, 100, bias=12)},
        dec=conv(100, 12, bias=100),
        out=conv(784, 100, bias=784),
    )
    found = recognise(tensors)
    assert found.arguments["latent"] == 12
    assert (found.arguments["encoder"] is None) == ("left out" in line)
    assert any(text.startswith(line) for text in found.assumptions)


@pytest.mark.parametrize("classes", [None, 10])
def test_conditional_vae_of_fully_connected_layers(classes: int | None) -> None:
    tensors = state(
        fc1=conv(40, 794, bias=40),
        fc21=conv(20, 40, bias=20),
        fc22=conv(20, 40, bias=20),
        fc3=conv(40, 30, bias=40),
        fc4=conv(784, 40, bias=784),
    )
    found = recognise(tensors, classes=classes)
    assert (found.family, found.output) == ("vae", (1, 28, 28))
    assert (found.arguments["latent"], found.arguments["classes"]) == (20, 10)
    assert found.arguments["combine"] == "last"
    assert any("encoder: left out, it takes 794 values" in line for line in found.assumptions)


def projected(gap: int) -> Tensors:
    """A projection, then a Sequential that starts at `gap`."""
    return state(fc=conv(32 * 16, 10, bias=32 * 16), **{f"main__{gap}": conv(32, 3, 4, 4, bias=3)})


def line_about(subject: str, found: Any) -> str:
    lines: list[str] = [line for line in found.assumptions if line.startswith(f"{subject}:")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("active", "line"),
    [(True, 'relu follows it.*"projection_activation": false'), (False, "no activation.*true")],
    ids=["active", "plain"],
)
def test_says_whether_the_projection_is_active(active: bool, line: str) -> None:
    found = recognise(projected(0), overrides={"projection_activation": active})
    assert re.search(line, line_about("projection", found))
    assert not any(text.startswith("projection") for text in recognise(dcgan()).assumptions)


def test_the_output_activation_is_said_to_be_an_assumption() -> None:
    line = line_about("output activation", recognise(dcgan()))
    assert "no statistics can check" in line
    assert '--arch-args \'{"output_activation": "sigmoid"}\'' in line
    given = recognise(dcgan(), overrides={"output_activation": "tanh"})
    assert not any(text.startswith("output activation") for text in given.assumptions)


def test_a_gap_without_batch_norms_may_be_a_norm() -> None:
    plain = state(_0=conv(10, 32, 4, 4), _3=conv(32, 16, 4, 4), _6=conv(16, 3, 4, 4))
    assert "norm without weights (InstanceNorm, PixelNorm), then use --arch" in line_about(
        "gaps", recognise(plain)
    )
    normed = line_about("gaps", recognise(dcgan((0, 1, 4, 5, 8))))
    assert "dropout" in normed
    assert "InstanceNorm" not in normed
