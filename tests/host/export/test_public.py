"""Checkpoints that others trained, from packages, through the formats; skipped without these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import public_networks
from engine import Engine
from engine.core.artifacts import open_artifact
from engine.core.options import LoadOptions
from engine.models.load import load_generator
from export.convert import export_onnx
from export.pack import export_gen
from export.plan_options import BatchProfile, BuildOptions
from export.tensorrt import export_tensorrt
from tests.cases import public_networks as public

pytest.importorskip("onnxruntime")

CHECKPOINTS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "faces": (public.FACES, {}),
    "waifu2x": (
        public.WAIFU2X,
        {
            "arch": f"{public.FILE}:UpConv7",
            "input_shape": (3, 32, 40),
            "output_range": (0.0, 1.0),
        },
    ),
    "g2p": (public.G2P, {"arch": f"{public.FILE}:G2p", "input_shape": (256,), "classes": 74}),
}

# As the package orders them: four marks, then by the alphabet; vowels with their stress.
_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
_FIRST = ("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH")
_OTHERS = (*_FIRST, "T", "TH", "UW", "V", "W", "Y", "Z", "ZH")
PHONEMES = [
    *("<pad>", "<unk>", "<s>", "</s>"),
    *sorted([*_OTHERS, *(f"{vowel}{stress}" for vowel in _VOWELS for stress in range(3))]),
]


def plan_of(path: Path, options: LoadOptions | None = None) -> int:
    """Bytes of a plan by TensorRT-RTX, which needs no GPU; 0 where it is not installed."""
    try:
        import tensorrt_rtx  # noqa: F401
    except ImportError:
        return 0
    build = BuildOptions(BatchProfile(1, 2, 4))
    (report,) = export_tensorrt(open_artifact(path, options), path.with_suffix(".plan"), build)
    return len(report.plan.data)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_all_formats(name: str, tmp_path: Path) -> None:
    """Every exporter compares its file with PyTorch or onnxruntime, or raises."""
    package, options = CHECKPOINTS[name]
    loaded = load_generator(public.fetched(package, tmp_path), LoadOptions(**options))
    onnx = tmp_path / "net.onnx"
    export_onnx(loaded, onnx)
    export_gen(open_artifact(onnx), tmp_path / "net.gen")
    assert plan_of(onnx) >= 0


def test_phonemes_of_a_word(tmp_path: Path) -> None:
    """The exported step, repeated, spells as the package does: "chart" is CH AA1 R T."""
    import onnxruntime

    package, options = CHECKPOINTS["g2p"]
    path = public.fetched(package, tmp_path)
    loaded = load_generator(path, LoadOptions(**options))
    export_onnx(loaded, tmp_path / "g2p.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "g2p.onnx"))
    network = public_networks.G2p()
    network.load_state_dict({k: torch.from_numpy(v) for k, v in np.load(path).items()})
    state = torch.zeros(1, 256)
    letters = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
    with torch.inference_mode():
        for letter in (*"chart", "</s>"):
            state = network.cell("enc", torch.tensor([letters.index(letter)]), state)
    feed = {"state": state.numpy(), "labels": np.array([2])}
    spelled = []
    while len(spelled) < 20:
        scores, feed["state"] = session.run(["output", "next_state"], feed)
        feed["labels"] = scores.argmax(1)
        if feed["labels"][0] == 3:
            break
        spelled.append(PHONEMES[int(feed["labels"][0])])
    assert spelled == ["CH", "AA1", "R", "T"]


def test_an_image_twice_as_large(tmp_path: Path) -> None:
    """waifu2x leaves 14 pixels off each side of the doubled image, and changes little inside."""
    package, options = CHECKPOINTS["waifu2x"]
    path = public.fetched(package, tmp_path)
    row, column = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 40), indexing="ij")
    image = np.stack([row, column, (row + column) / 2]).astype(np.float32)[None]
    with Engine(path, backend="eager", **options) as engine:
        made = engine.decode(image)
    assert made.shape == (1, 3, 36, 52)
    nearest = image.repeat(2, 2).repeat(2, 3)[:, :, 14:-14, 14:-14]
    assert np.abs(made - nearest).mean() < 0.02


def test_styles_that_are_given(tmp_path: Path) -> None:
    path = public.fetched(public.STYLES, tmp_path)
    options = LoadOptions(input_shape=(3, 32, 40))
    report = export_gen(open_artifact(path, options), tmp_path / "styles.gen")
    inputs = [(item.name, item.shape, item.distribution) for item in report.gen.spec.noise]
    assert inputs == [("style_weights", (26,), "given")]
    assert plan_of(path, options) >= 0
    image = np.random.default_rng(0).uniform(0, 1, (2, 3, 32, 40)).astype(np.float32)
    styles = np.eye(26, dtype=np.float32)[[3, 17]]
    made = []
    for file, given in ((path, options.given()), (tmp_path / "styles.gen", {})):
        with Engine(file, precision="fp32", batch_size=1, **given) as engine:
            made.append(engine.decode({"image": image, "style_weights": styles}))
    assert made[0].shape == (2, 3, 32, 40)
    np.testing.assert_allclose(*made, atol=1e-4)
    assert np.abs(made[0][0] - made[0][1]).mean() > 0.02
