from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from click.testing import Result

from engine import Engine, OptionError
from engine.cli.compare import Comparison, compare
from engine.cli.options import EngineOptions
from engine.cli.verify import side

Run = Callable[..., Result]


class Shifted:
    """An engine's face whose sample i is off by `shift(i)` in its first value."""

    def __init__(self, shift: Callable[[int], float], batch_size: int) -> None:
        self.shift = shift
        self.batch_size = batch_size
        self.artifact = SimpleNamespace(path=Path("shifted"))
        self.spec = SimpleNamespace(
            latent=SimpleNamespace(shape=(1,)),
            output=SimpleNamespace(shape=(1, 2, 2), range=(-1.0, 1.0)),
            classes=(),
        )

    def latents(self, n: int, *, seed: int, start: int) -> np.ndarray:
        return np.arange(start, start + n, dtype=np.float32)[:, None]

    def labels(self, n: int, *, seed: int, start: int) -> None:
        return None

    def decode(
        self, z: np.ndarray, labels: None, *, seed: int, start: int, output: str
    ) -> np.ndarray:
        assert start == z[0, 0]
        images = np.zeros((len(z), 1, 2, 2), np.float32)
        images[:, 0, 0, 0] = [self.shift(int(index)) for index in z[:, 0]]
        return images


def engines(shift: Callable[[int], float]) -> tuple[Engine, Engine]:
    return cast(Engine, Shifted(lambda _: 0.0, 4)), cast(Engine, Shifted(shift, 6))


def test_errors_are_those_of_the_definition() -> None:
    result = compare(*engines(lambda index: 0.5 if index == 17 else 0.25), 30)
    squares = (29 * 0.25**2 + 0.5**2) / (30 * 4)
    assert result == Comparison(
        samples=30,
        max_error=0.5,
        mean_error=pytest.approx((29 * 0.25 + 0.5) / (30 * 4)),
        psnr_db=pytest.approx(10 * math.log10(4 / squares)),
        worst_sample=17,
    )


def test_equal_outputs_have_infinite_psnr() -> None:
    result = compare(*engines(lambda _: 0.0), 3)
    assert (result.max_error, result.psnr_db) == (0.0, math.inf)
    assert result.within(0.0, 200.0)


@pytest.mark.parametrize(
    ("max_error", "min_psnr_db", "within"),
    [(0.1, None, True), (0.0999, None, False), (0.1, 40.0, True), (0.1, 40.1, False)],
    ids=["at the limit", "beyond it", "PSNR at the limit", "PSNR beyond it"],
)
def test_the_tolerance(max_error: float, min_psnr_db: float | None, within: bool) -> None:
    comparison = Comparison(1, 0.1, 0.1, 40.0, 0)
    assert comparison.within(max_error, min_psnr_db) is within


def test_models_of_other_shapes_are_not_compared(models: dict[str, str]) -> None:
    with pytest.raises(OptionError, match=r"gray\.json has outputs of shape .* pets\.json"):
        compare(Engine(models["gray"]), Engine(models["pets"]), 1)


@pytest.mark.parametrize(
    ("text", "path", "backend", "precision"),
    [
        ("a.pt", "a.pt", "auto", "auto"),
        ("a.pt@eager", "a.pt", "eager", "auto"),
        ("me@home/a.pt", "me@home/a.pt", "auto", "auto"),
        ("me@home/a.pt@null:fp32", "me@home/a.pt", "null", "fp32"),
    ],
    ids=["plain", "backend", "@ in the path", "all"],
)
def test_sides(text: str, path: str, backend: str, precision: str) -> None:
    name, options = side(text, EngineOptions())
    assert (name, options.backend, options.precision) == (path, backend, precision)


def test_a_file_with_an_at_in_its_name_is_found_first(here: Path) -> None:
    (here / "a@null").touch()
    assert side("a@null", EngineOptions())[0] == "a@null"


def test_the_same_model_twice_is_the_same(run: Run, models: dict[str, str]) -> None:
    result = run("verify", models["pets"], models["pets"] + "@null:fp32")
    assert result.exit_code == 0, result.stderr
    assert "the same within the tolerance" in result.stdout
    assert "inf dB" in result.stdout


def test_backends_agree_and_json_is_json(run: Run, checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    path = checkpoints["dcgan-classes"]
    same = run("verify", f"{path}@eager", f"{path}@onnxruntime", "-n", 8, "--json")
    assert same.exit_code == 0, same.stdout + same.stderr
    report = json.loads(same.stdout)
    assert report["passed"]
    assert report["a"] == {"artifact": path.name, "backend": "eager", "precision": "fp32"}
    assert 0 < report["max_error"] < 1e-5
    assert report["psnr_db"] > 100


def test_models_that_differ_fail_with_1(run: Run, checkpoints: dict[str, Path]) -> None:
    path: Any = checkpoints["dcgan"]
    result = run("verify", path, f"{path}@null", "-n", 8)
    assert result.exit_code == 1
    assert "different" in result.stdout
    assert result.stderr == ""


def test_pictures_of_the_worst_samples(
    run: Run, onnx_files: dict[str, Path], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    from PIL import Image

    from engine.cli.worst import Worst

    a, b = engines(lambda index: index % 7 / 10)
    a.spec.modality = "image"  # type: ignore[misc]
    worst = Worst(a.spec, tmp_path / "w.png", count=3)
    result = compare(a, b, 30, worst_of=worst)
    assert worst.samples == [6, 13, 20]
    assert result.worst_sample == 6
    worst.write()
    picture = np.asarray(Image.open(tmp_path / "w.png"))
    assert picture.shape == (3 * 4 - 2, 3 * 4 - 2)
    # 0.6 of a range of 2 is 76 steps, and the difference is bounded.
    assert [picture[0, 0], picture[4, 0], picture[8, 0], picture[8, 1]] == [128, 204, 255, 0]
    path = tmp_path / "real.png"
    done = run("verify", checkpoints["dcgan"], onnx_files["dcgan"], "-n", "20", "--pictures", path)
    assert done.exit_code == 0, done.output
    assert Image.open(path).size[0] > 8 * 16
    refused = run("verify", checkpoints["dcgan"], onnx_files["dcgan"], "--pictures", "x.gif")
    assert refused.exit_code == 2
    assert "NAME.png" in refused.output
