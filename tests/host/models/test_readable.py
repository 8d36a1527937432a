"""Tensors that a checkpoint may hold and no network has: refused by name, in ours as in others'."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.core.errors import ArtifactError
from engine.models.load import load_generator

KEY = "layers.0.weight"
ODD: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "repeated": (lambda w: torch.zeros(1).expand(1 << 20, 1 << 20), "repeats 4 bytes to 4.4 TB"),
    "meta": (lambda w: w.to("meta"), "on the meta device"),
    "sparse": (lambda w: w.to_sparse(), "sparse, nested or quantised"),
    "nested": (lambda w: torch.nested.nested_tensor(list(w)), "sparse, nested or quantised"),
    "quantised": (
        lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8),
        "sparse, nested or quantised",
    ),
    "complex": (lambda w: w.to(torch.complex64), "holds torch.complex64, weights are floats"),
    "whole": (lambda w: w.to(torch.int64), "holds torch.int64, weights are floats"),
}


def stored(checkpoint: Path, out: Path, ours: bool, change: Callable[[Tensor], Tensor]) -> Path:
    values = torch.load(checkpoint, weights_only=True)
    with warnings.catch_warnings():
        # Each of these layouts is a prototype, and says so.
        warnings.simplefilter("ignore")
        weights = {**values["generator"], KEY: change(values["generator"][KEY])}
        torch.save({**values, "generator": weights} if ours else weights, out)
    return out


@pytest.mark.filterwarnings("ignore:.*(nested tensors|quantize_per_tensor|TypedStorage)")
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "state dict"])
@pytest.mark.parametrize("kind", ODD)
def test_refused(kind: str, ours: bool, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    change, match = ODD[kind]
    path = stored(checkpoints["dcgan"], tmp_path / "odd.pt", ours, change)
    with pytest.raises(ArtifactError, match=match) as caught:
        load_generator(path)
    assert KEY in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.float8_e4m3fn], ids=str)
def test_other_floats_are_read(
    dtype: torch.dtype, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    path = stored(checkpoints["dcgan"], tmp_path / "x.pt", True, lambda w: w.to(dtype))
    generator = load_generator(path).entry_points["decoder"]
    assert generator(torch.zeros(2, 16)).dtype == torch.float32
