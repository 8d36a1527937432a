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
from engine.cli.tolerance import Tolerance, choose
from engine.cli.verify import side
from engine.core.budget import Cost

Run = Callable[..., Result]


class Shifted:
    """An engine's face whose sample i is off by `shift(i)` in its first value."""

    def __init__(self, shift: Callable[[int], float], batch_size: int) -> None:
        self.shift = shift
        self.batch_size = batch_size
        self.artifact = SimpleNamespace(name="shifted", kind="checkpoint")
        self.file = self.artifact
        self.spec = SimpleNamespace(
            latent=SimpleNamespace(shape=(1,), name="z"),
            output=SimpleNamespace(shape=(1, 2, 2), range=(-1.0, 1.0)),
            classes=(),
            noise=(),
            modality="image",
            entry_points=("decoder",),
        )

    def latents(self, n: int, *, seed: int, start: int) -> np.ndarray:
        return np.arange(start, start + n, dtype=np.float32)[:, None]

    def labels(self, n: int, *, seed: int, start: int) -> None:
        return None

    def decode(
        self, given: dict[str, np.ndarray], labels: None, *, seed: int, start: int, output: str
    ) -> np.ndarray:
        z = given["z"]
        assert start == z[0, 0]
        images = np.zeros((len(z), 1, 2, 2), np.float32)
        images[:, 0, 0, 0] = [self.shift(int(index)) for index in z[:, 0]]
        return images


def engines(shift: Callable[[int], float]) -> tuple[Engine, Engine]:
    return cast(Engine, Shifted(lambda _: 0.0, 4)), cast(Engine, Shifted(shift, 6))


def test_errors_are_those_of_the_definition() -> None:
    result = compare(*engines(lambda index: 0.5 if index == 17 else 0.25), 30)
    squares = (29 * 0.25**2 + 0.5**2) / (30 * 4)
    # 0.5 is 63.75 steps of 255 above the middle (127.5, rounded to even: 128), 0.25 is 31.875.
    steps = (29 * 31**2 + 63**2) / (30 * 4)
    assert result == Comparison(
        samples=30,
        max_error=0.5,
        mean_error=pytest.approx((29 * 0.25 + 0.5) / (30 * 4)),
        psnr_db=pytest.approx(10 * math.log10(4 / squares)),
        worst_sample=17,
        cost=Cost(
            mean_psnr_db=pytest.approx(10 * math.log10(255**2 / steps), abs=0.01),
            worst_psnr_db=pytest.approx(10 * math.log10(255**2 / (63**2 / 4)), abs=0.01),
            mean_difference=pytest.approx((29 * 31 + 63) / (30 * 4), abs=1e-4),
        ),
        max_step=63,
        equal_share=0.75,
    )


def test_equal_outputs_have_infinite_psnr() -> None:
    result = compare(*engines(lambda _: 0.0), 3)
    assert (result.max_error, result.psnr_db) == (0.0, math.inf)
    assert Tolerance("given", "", 0.0, 200.0).holds(result)


@pytest.mark.parametrize(
    ("max_error", "min_psnr_db", "within"),
    [
        (0.1, None, True),
        (0.0999, None, False),
        (0.1, 40.0, True),
        (0.1, 40.1, False),
        (None, 40.0, True),
    ],
    ids=["at the limit", "beyond it", "PSNR at the limit", "PSNR beyond it", "PSNR alone"],
)
def test_the_tolerance(max_error: float | None, min_psnr_db: float | None, within: bool) -> None:
    comparison = Comparison(1, 0.1, 0.1, 40.0, 0)
    assert Tolerance("given", "", max_error, min_psnr_db).holds(comparison) is within


@pytest.mark.parametrize(
    ("max_step", "equal_share", "within"),
    [(1, 0.99, True), (2, 0.999, False), (1, 0.989, False)],
    ids=["ties", "two steps", "a step in many values"],
)
def test_the_tolerance_of_images(max_step: int, equal_share: float, within: bool) -> None:
    comparison = Comparison(1, 0.1, 0.1, 40.0, 0, "uint8", None, max_step, equal_share)
    assert Tolerance("uint8", "").holds(comparison) is within


@pytest.mark.parametrize(
    ("precisions", "kind"),
    [
        (("fp32", "fp64"), "fp32"),
        (("fp32", "bf16"), "budget"),
        (("mixed", "fp32"), "budget"),
        (("int8", "int8"), "budget"),
    ],
    ids="-".join,
)
def test_the_lower_precision_sets_the_tolerance(precisions: tuple[str, str], kind: str) -> None:
    a, b = engines(lambda _: 0.0)
    a.precision, b.precision = precisions
    tolerance = choose(a, b, "float32")
    assert tolerance.kind == kind
    assert choose(a, b, "float32", min_psnr_db=30.0).kind == "given"
    if kind == "budget":
        assert "computes in" in tolerance.reason
    else:
        assert choose(a, b, "uint8").kind == "uint8"


@pytest.mark.parametrize(
    ("shift", "within"), [(2 / 255, True), (8 / 255, False)], ids=["1 step", "4 steps"]
)
def test_the_budget_is_that_of_images(shift: float, within: bool) -> None:
    result = compare(*engines(lambda _: shift), 8)
    assert Tolerance("budget", "", lower=True).holds(result) is within


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


def test_parts_of_a_bundle_are_sides(
    run: Run, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    from engine.core.artifacts import open_artifact
    from export.bundle import export_bundle

    bundle = tmp_path / "b.bundle"
    export_bundle(open_artifact(checkpoints["gan-mlp"]), bundle)
    for part in (f"{bundle}@native:fp32", f"{bundle}/model.onnx"):
        found = run("verify", part, str(checkpoints["gan-mlp"]), "--layers", "--json")
        assert found.exit_code == 0, found.output
        values = json.loads(found.stdout)
        assert values["a"]["artifact"].startswith("b.bundle/model.")
        assert values["first_beyond"] is None
        assert len(values["layers"]) >= 3
