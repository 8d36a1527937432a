"""Fully connected networks on the native backend: micro-batches, uint8 from the last layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import zoo
from engine.backends._native.choices import default_choices, micro_batch
from engine.backends._native.layers import only_linear
from engine.backends._native.session import Session
from engine.backends._programs import open_programs
from engine.core.artifacts import open_artifact
from engine.core.options import LoadOptions
from engine.latents import draw
from engine.program.gen import Gen
from kernels.native import library

BF16_SETS = ("avx512_bf16", "amx")


def opened(name: str) -> Gen:
    return open_programs(open_artifact(zoo.resolve(name), LoadOptions()))


@pytest.fixture(params=BF16_SETS)
def isa(request: pytest.FixtureRequest) -> str:
    reason = library.unavailable()
    if reason or request.param not in library.instruction_sets():
        pytest.skip(reason or f"this processor has no {request.param}")
    return str(request.param)


@pytest.mark.parametrize(("name", "linear"), [("gan-mlp-digits", True), ("dcgan-digits", False)])
def test_which_models_are_linear_alone(name: str, linear: bool) -> None:
    assert only_linear(opened(name).programs["decoder"]) == linear


@pytest.mark.parametrize(
    ("batch_size", "threads", "capacity"),
    [(1024, 1, 256), (1024, 2, 256), (1024, 8, 128), (64, 1, 64), (64, 2, 64), (16, 2, 16)],
)
def test_micro_batches_are_large_and_leave_nobody_idle(
    batch_size: int, threads: int, capacity: int
) -> None:
    assert micro_batch(batch_size, threads, True, "amx", linear=True) == capacity


def test_the_last_layer_writes_images_itself(isa: str) -> None:
    choices = default_choices(64, 1, True, isa, linear=True)
    plan = Session(opened("gan-mlp-digits"), choices).plan("decoder", True)
    kinds = [placed.step.kind for placed in plan.steps]
    assert kinds == ["convert", *["rows_convolution"] * 4, "rows_images"]


def test_bits_do_not_depend_on_micro_batches_or_neighbours(isa: str) -> None:
    gen = opened("gan-mlp-digits")
    z = draw(gen.spec.latent, 3, 0, 300)
    choices = default_choices(300, 1, True, isa, linear=True)

    def images(latents: np.ndarray, capacity: int, threads: int) -> np.ndarray:
        session = Session(gen, replace(choices, capacity=capacity, threads=threads))
        try:
            made, finite = session.run("decoder", True, {gen.spec.latent.name: latents})
        finally:
            session.close()
        assert finite.all()
        return made[gen.spec.output.name]

    whole = images(z, 256, 1)
    assert whole.std() > 10
    np.testing.assert_array_equal(images(z, 32, 2), whole)
    np.testing.assert_array_equal(images(z[257:260], 256, 1), whole[257:260])
