"""Backend native: shipped models, precisions, bits that depend on the sample alone."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import Engine, zoo
from engine.backends import native
from engine.backends._native import precision
from engine.backends._native.build import planned_bytes
from engine.backends.native import INSTRUCTION_SET
from engine.core import budget
from engine.core.errors import BackendUnavailableError, OptionError
from engine.program import gen, graph
from engine.program.graph import Program, Value
from kernels.native import library
from kernels.native.network import Network
from tests.cases.small_programs import dcgan, program, upsampling, weights

NAMES = zoo.names()
SIZES = (1, 7, 64)


@pytest.fixture(autouse=True)
def _built() -> None:
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)


def needs_bf16() -> None:
    best = os.environ.get(INSTRUCTION_SET) or library.instruction_sets()[-1]
    if not precision.can_bf16(best):
        pytest.skip(f"{best} does not multiply bfloat16")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """24 samples of each shipped model in float64."""
    return {
        name: Engine(name, backend="numpy").generate(24, seed=3, output="float32") for name in NAMES
    }


@pytest.mark.parametrize("batch_size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_shipped_models_in_fp32(name: str, batch_size: int, reference: dict) -> None:
    with Engine(name, backend="native", precision="fp32", batch_size=batch_size) as engine:
        made = engine.generate(24, seed=3, output="float32")
        np.testing.assert_allclose(made, reference[name], atol=1e-4)
        images = engine.generate(24, seed=3)
    low, high = engine.spec.output.range
    scaled = (reference[name].transpose(0, 2, 3, 1) - low) * 255 / (high - low)
    # Half a step is the rounding; the rest is what 1e-4 of the range makes of it.
    assert np.abs(images - scaled).max() < 0.52


@pytest.mark.parametrize("batch_size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_shipped_models_in_bf16_keep_the_image_budget(name: str, batch_size: int) -> None:
    needs_bf16()
    exact = Engine(name, backend="native", precision="fp32").generate(48, seed=8).astype(float)
    with Engine(name, backend="native", precision="bf16", batch_size=batch_size) as engine:
        error = engine.generate(48, seed=8) - exact
    squares = np.square(error).reshape(48, -1).mean(axis=1)
    assert 10 * np.log10(255**2 / squares.mean()) >= budget.LOWEST_MEAN_PSNR_DB
    assert 10 * np.log10(255**2 / squares.max()) >= budget.LOWEST_WORST_PSNR_DB
    assert np.abs(error).mean() <= budget.LARGEST_MEAN_DIFFERENCE


@pytest.mark.parametrize("batch_size", [5, 48])
@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_a_sample_has_its_bits_whatever_is_asked_for(kind: str, batch_size: int) -> None:
    if kind == "bf16":
        needs_bf16()
    with Engine("dcgan-digits", backend="native", precision=kind, batch_size=batch_size) as engine:
        many = engine.generate(200, seed=4)
        np.testing.assert_array_equal(engine.generate(1, seed=4), many[:1])
        np.testing.assert_array_equal(engine.generate(33, seed=4, start=101), many[101:134])
        out = np.zeros((200, 64, 32, 1), np.uint8)[:, ::2]
        np.testing.assert_array_equal(engine.generate(200, seed=4, out=out), many)
        parts = list(engine.stream(200, seed=4))
        np.testing.assert_array_equal(np.concatenate(parts), many)
        z, labels = engine.latents(70, seed=4, start=9), engine.labels(70, seed=4, start=9)
        again = engine.decode(z, labels, start=9, output="uint8")
        np.testing.assert_array_equal(again, many[9:79])


def test_threads_do_not_show_in_the_bits() -> None:
    for batch_size in (6, 64):
        one, two = (
            Engine("dcgan-emoji", backend="native", threads=threads, batch_size=batch_size)
            for threads in (1, 2)
        )
        np.testing.assert_array_equal(one.generate(70), two.generate(70))


def test_several_threads_share_an_engine() -> None:
    with Engine("vae-digits", backend="native", batch_size=32) as engine:
        wanted = engine.generate(96, seed=1)
        found: list[np.ndarray] = []
        threads = [
            threading.Thread(target=lambda: found.append(engine.generate(96, seed=1)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4
    assert all(np.array_equal(images, wanted) for images in found)


def test_a_forked_child_samples_on() -> None:
    with Engine("gan-mlp-digits", backend="native", threads=2, batch_size=32) as engine:
        wanted = engine.generate(64)
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(engine.generate(64), wanted) else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        np.testing.assert_array_equal(engine.generate(64), wanted)


def test_the_encoder_runs_in_float32_beside_a_bf16_decoder() -> None:
    images = Engine("vae-digits", backend="numpy").generate(20, seed=2)
    exact, _ = Engine("vae-digits", backend="numpy").posterior(images)
    for batch_size in (4, 32):
        with Engine("vae-digits", backend="native", batch_size=batch_size) as engine:
            mean, logvar = engine.posterior(images)
            np.testing.assert_allclose(mean, exact, atol=1e-4)
            assert np.isfinite(logvar).all()


def test_auto_takes_bf16_on_the_evidence_of_the_file() -> None:
    needs_bf16()
    engine = Engine("dcgan-emoji")
    if engine.backend != "native":
        pytest.skip("this machine has a GPU")
    assert engine.precision == "bf16"
    assert "bf16 holds the image budget: PSNR to fp32" in engine.explain()
    assert "measured when the file was exported" in engine.explain()


def test_evidence_against_bf16_decides_for_fp32(tmp_path: Path) -> None:
    needs_bf16()
    shipped = gen.read(zoo.resolve("dcgan-digits"))
    assert shipped.evidence is not None
    bad = replace(shipped, evidence=replace(shipped.evidence, worst_psnr_db=37.9))
    gen.write(tmp_path / "bad.gen", bad)
    engine = Engine(tmp_path / "bad.gen", backend="native")
    assert engine.precision == "fp32"
    assert "fp32: bf16 breaks the image budget" in engine.explain()


def test_a_file_without_evidence_is_probed_when_it_is_opened(tmp_path: Path) -> None:
    needs_bf16()
    gen.write(tmp_path / "tiny.gen", dcgan())
    engine = Engine(tmp_path / "tiny.gen", backend="native")
    assert "measured when it was opened" in engine.explain()


@pytest.mark.parametrize("name", ["portable", "avx2", "avx512"])
def test_an_older_instruction_set_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name not in library.instruction_sets():
        pytest.skip(f"this processor, or this build, has no {name}")
    wanted = Engine("vae-digits", backend="numpy").generate(20, output="float32")
    monkeypatch.setenv(native.INSTRUCTION_SET, name)
    with Engine("vae-digits", backend="native", batch_size=32) as engine:
        assert engine.precision == "fp32"
        assert f"fp32: {name} does not multiply bfloat16" in engine.explain()
        np.testing.assert_allclose(engine.generate(20, output="float32"), wanted, atol=1e-4)
        with pytest.raises(OptionError, match="precision='bf16' is not possible"):
            Engine("vae-digits", backend="native", precision="bf16")


def test_bf16_where_native_has_none_goes_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    if "avx2" not in library.instruction_sets():
        pytest.skip("this processor, or this build, has no avx2")
    monkeypatch.setattr("engine.backends.triton.no_gpu_reason", lambda: "no GPU")
    monkeypatch.setenv(native.INSTRUCTION_SET, "avx2")
    with Engine("vae-digits", precision="bf16") as engine:
        assert (engine.backend, engine.precision) == ("torch", "bf16")
        assert "native: avx2 does not multiply bfloat16" in engine.explain()
        assert len(engine.generate(3)) == 3
    monkeypatch.setattr("engine.backends.torch.not_installed", lambda *_: "torch is not there")
    with pytest.raises(OptionError, match="precision='bf16' is not possible with backend 'native'"):
        Engine("vae-digits", precision="bf16")


def test_batches_below_16_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"backend": "native", "precision": "fp32"}
    with Engine("vae-digits", batch_size=15, **given) as engine:
        assert "note       few images: batch_size=15 takes the kernels for 1 to 15 images" in (
            engine.explain()
        )
    with Engine("vae-digits", batch_size=16, **given) as engine:
        assert "few images" not in engine.explain()
    monkeypatch.setattr("engine.backends._native.sizes._OUTPUT_BYTES", 30_000)
    with Engine("vae-digits", **given) as engine:
        assert engine.batch_size < 16
        assert "chosen as its samples are large, takes the kernels" in engine.explain()


def test_an_unknown_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.INSTRUCTION_SET, "mmx")
    with pytest.raises(OptionError, match=r"GENERATOR_KERNELS_ISA='mmx' .*these do: portable"):
        Engine("vae-digits", backend="native")


def nothing_finite() -> Program:
    layer = upsampling(2, "m", "images", 2, (8, 1), "none")
    root = graph.Elementwise(
        name="root", inputs=("m",), outputs=("r",), activation=graph.Activation("log")
    )
    first = graph.Linear(name="first", inputs=("z",), outputs=("h",), weight=weights(1, 16, 32))
    shaped = graph.Reshape(name="map", inputs=("h",), outputs=("m",), shape=(2, 2, 8))
    last = replace(layer, inputs=("r",))
    return program("decoder", (Value("z", (16,)),), first, shaped, root, last)


@pytest.mark.parametrize("batch_size", [3, 32])
@pytest.mark.parametrize("output", ["uint8", "float32"])
def test_nan_is_told_with_the_sample(batch_size: int, output: str, tmp_path: Path) -> None:
    spec = replace(dcgan().spec, output=replace(dcgan().spec.output, shape=(1, 4, 4)))
    gen.write(tmp_path / "nan.gen", gen.Gen(spec, {"decoder": nothing_finite()}))
    engine = Engine(tmp_path / "nan.gen", backend="native", batch_size=batch_size)
    with pytest.raises(ArithmeticError, match="sample 0 of 'tiny' .* holds NaN or infinity"):
        engine.generate(20, output=output)


def test_memory_is_planned_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("dcgan-emoji", backend="native", precision="fp32", batch_size=64, threads=2)
    plan = engine._backend._session.plan("decoder", True)
    needed = planned_bytes(plan)
    assert needed > plan.arena_bytes > 0
    monkeypatch.setattr("engine.backends._native.build.available_bytes", lambda: needed - 1)
    with pytest.raises(OptionError, match=r"the network takes .* are free; set threads= lower"):
        Engine("dcgan-emoji", backend="native", precision="fp32", batch_size=64, threads=2)


def test_scratch_memory_of_workers_is_planned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"backend": "native", "precision": "fp32", "batch_size": 64, "threads": 2}
    engine = Engine("dcgan-emoji", **given)
    ready = engine._backend._session.open("decoder", True)
    needed = ready.network.workspace_bytes
    assert needed > 2 * ready.plan.arena_bytes > 0
    monkeypatch.setattr("engine.memory.available_bytes", lambda: needed - 1)
    with pytest.raises(OptionError, match=r"memory of its workers would .* set threads= lower"):
        Engine("dcgan-emoji", **given)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            MemoryError("out of memory"),
            r"no more memory .* set threads= \(it is 2\) or batch_size=",
        ),
        (RuntimeError("Resource temporarily unavailable"), r"no more threads, set threads= lower"),
    ],
    ids=["memory", "threads"],
)
def test_what_fails_in_mid_run_says_what_to_set(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    with Engine("vae-digits", backend="native", threads=2) as engine:
        monkeypatch.setattr(Network, "run", fails)
        with pytest.raises(OptionError, match=message):
            engine.generate(3)


def test_an_engine_may_be_closed_while_it_samples() -> None:
    for _ in range(5):
        engine = Engine("gan-mlp-digits", backend="native", threads=2, batch_size=64)
        found: list[object] = []

        def sample(engine: Engine = engine, found: list[object] = found) -> None:
            try:
                while True:
                    found.append(len(engine.generate(1000)))
            except OptionError as error:
                found.append(str(error))

        thread = threading.Thread(target=sample)
        thread.start()
        while not found:
            time.sleep(0.001)
        engine.close()
        thread.join()
        assert "closed" in found[-1]
        assert set(found[:-1]) == {1000}


def test_a_refused_model_goes_to_the_next_backend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gen.write(tmp_path / "tiny.gen", dcgan())
    monkeypatch.setattr("engine.backends._native.plan._MAKERS", {})
    monkeypatch.setattr("engine.backends.triton.no_gpu_reason", lambda: "no GPU")
    engine = Engine(tmp_path / "tiny.gen")
    assert engine.backend in ("torch", "numpy")
    assert "native: native kernels cannot run linear 'first'" in engine.explain()
    with pytest.raises(BackendUnavailableError, match="cannot run linear 'first'"):
        Engine(tmp_path / "tiny.gen", backend="native")


def test_the_batch_size_that_is_chosen_shares_work_evenly() -> None:
    for threads in (1, 2, 3):
        engine = Engine("dcgan-emoji", backend="native", threads=threads)
        choices = engine._backend._session.choices
        assert engine.batch_size % (choices.capacity * threads) == 0
        assert engine.batch_size * 4 * 12288 <= 32 << 20
        assert str(choices) in engine.explain()
