"""The engine's promises: same samples however they are asked for, on every entry point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Engine
from engine.core.errors import ArtifactError, NumericalError, OptionError

Models = dict[str, Path]
ALL = ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"]


@pytest.fixture(scope="module")
def eager(checkpoints: Models) -> Engine:
    return Engine(checkpoints["dcgan-classes"], batch_size=4)


@pytest.fixture(scope="module")
def vae(checkpoints: Models) -> Engine:
    return Engine(checkpoints["vae"], batch_size=4)


@pytest.mark.parametrize("backend", ["eager", "onnxruntime", "null"])
@pytest.mark.parametrize("name", ALL)
def test_a_sample_is_the_same_bits_however_asked_for(
    name: str, backend: str, checkpoints: Models, onnx_files: Models
) -> None:
    artifact = onnx_files[name] if backend == "onnxruntime" else checkpoints[name]
    with Engine(artifact, backend=backend, batch_size=4) as engine:
        many = engine.generate(18, seed=3)
        assert many.shape[0] == 18
        assert many.dtype == np.uint8
        assert (engine.generate(5, seed=3)[3] == many[3]).all()
        assert (engine.generate(1, seed=3, start=3)[0] == many[3]).all()
        assert (engine.generate(7, seed=3, start=9) == many[9:16]).all()
        assert (np.concatenate(list(engine.stream(18, seed=3))) == many).all()
        assert (engine.generate(5, seed=4) != many[:5]).any()
        assert len({sample.tobytes() for sample in many}) == 18


@pytest.mark.parametrize("name", ALL)
def test_backends_agree(name: str, checkpoints: Models, onnx_files: Models) -> None:
    eager = Engine(checkpoints[name], batch_size=8)
    onnx = Engine(onnx_files[name], batch_size=5)
    assert onnx.backend == "onnxruntime"
    assert onnx.spec == eager.spec
    assert (onnx.latents(9) == eager.latents(9)).all()
    assert np.array_equal(onnx.labels(9), eager.labels(9))
    np.testing.assert_allclose(
        onnx.generate(9, output="float32"), eager.generate(9, output="float32"), atol=1e-4
    )


def test_a_checkpoint_on_onnxruntime_is_exported_on_the_way(checkpoints: Models) -> None:
    with Engine(checkpoints["vae"], backend="onnxruntime", batch_size=4) as engine:
        images = engine.generate(3)
        assert engine.reconstruct(images).shape == images.shape
    expected = Engine(checkpoints["vae"]).generate(3)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_streams_are_bounded_batches(eager: Engine) -> None:
    assert [len(batch) for batch in eager.stream(10, start=3)] == [1, 4, 4, 1]


def test_decode_of_the_engines_latents_is_generate(eager: Engine) -> None:
    latents, labels = eager.latents(6, seed=2), eager.labels(6, seed=2)
    decoded = eager.decode(latents, labels)
    assert decoded.dtype == np.float32
    assert (decoded == eager.generate(6, seed=2, output="float32")).all()
    assert (eager.decode(latents[:, :, None, None], labels) == decoded).all()
    assert eager.decode(latents[:0], []).shape == (0, 3, 32, 32)
    assert eager.decode(latents[:0], [], output="torch").shape[0] == 0


@pytest.mark.parametrize("start", [1, 4, 6])
def test_decode_keeps_the_row_of_each_sample(start: int, eager: Engine) -> None:
    latents, labels = eager.latents(7, start=start), eager.labels(7, start=start)
    expected = eager.generate(7, start=start)
    assert (eager.decode(latents, labels, start=start, output="uint8") == expected).all()


def test_conditional_models_ask_for_labels_where_random_makes_no_sense(
    eager: Engine, checkpoints: Models
) -> None:
    vae = Engine(checkpoints["vae-classes"], batch_size=4)
    images = vae.generate(3, labels=1)
    for call in (vae.encode, vae.reconstruct, lambda x: vae.decode(vae.latents(3))):
        with pytest.raises(OptionError, match="'vae-classes' has 4 classes; say which"):
            call(images)
    assert vae.reconstruct(images, "dog").shape == images.shape
    assert vae.decode(vae.latents(3), "random").shape == (3, 3, 32, 32)


def test_interpolation_keeps_the_class_of_its_first_sample(eager: Engine) -> None:
    labels = eager.labels(8)
    assert labels is not None
    way = eager.interpolate(3, 7, 4)
    np.testing.assert_allclose(way[0].astype(int), eager.generate(8)[3], atol=1)
    same = eager.interpolate(3, 7, 4, labels=int(labels[3]))
    assert (way == same).all()
    with pytest.raises(OptionError, match="say which"):
        eager.interpolate(eager.latents(1)[0], 7, 4)


def test_uint8_is_the_float_output_rounded(eager: Engine) -> None:
    floats = eager.generate(3, output="float32")
    expected = np.rint((floats.astype(np.float64) + 1) * 127.5).transpose(0, 2, 3, 1)
    assert np.abs(eager.generate(3) - expected).max() <= 1
    assert (eager.generate(3) == expected).mean() > 0.999


def test_torch_output(eager: Engine) -> None:
    import torch

    tensor = eager.generate(6, output="torch")
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.numpy() == eager.generate(6, output="float32")).all()


def test_labels_choose_the_class(eager: Engine) -> None:
    dogs = eager.generate(3, labels="dog")
    assert (dogs == eager.generate(3, labels=1)).all()
    assert (dogs == eager.generate(3, labels=[1, "dog", 1])).all()
    assert (dogs != eager.generate(3, labels="cat")).any()
    assert (eager.generate(6, start=1, labels=[0, 1, 2, 3, 0, 1])[1] == dogs[2]).all()


def test_truncation_pulls_towards_the_mean(eager: Engine) -> None:
    latents = eager.latents(20, truncation=0.5)
    assert np.abs(latents).max() <= 0.5
    truncated = eager.generate(20, truncation=0.5, labels=0, output="float32")
    free = eager.generate(20, labels=0, output="float32")
    assert truncated.std(axis=0).mean() < free.std(axis=0).mean()


def test_out_and_progress(eager: Engine, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    out = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (6, 32, 32, 3))
    result = eager.generate(6, out=out, progress=lambda done, total: calls.append((done, total)))
    assert result is out
    assert (out == eager.generate(6)).all()
    assert calls == [(4, 6), (6, 6)]


def test_encoder(vae: Engine) -> None:
    images = vae.generate(6)
    mean, logvar = vae.posterior(images)
    assert mean.shape == logvar.shape == (6, 6)
    assert (vae.encode(images) == mean).all()
    drawn = vae.encode(images, sample=True, seed=1)
    assert (drawn != mean).any()
    assert (vae.encode(images[2:3], sample=True, seed=1, start=2) == drawn[2]).all(axis=1).all()
    assert (vae.reconstruct(images) == vae.decode(mean, output="uint8")).all()


def test_images_come_as_bytes_or_floats(vae: Engine) -> None:
    images = vae.generate(2)
    floats = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    np.testing.assert_allclose(vae.encode(images), vae.encode(floats), atol=1e-5)


def test_interpolation_joins_two_samples(vae: Engine) -> None:
    way = vae.interpolate(0, 3, 5, output="float32")
    samples = vae.generate(4, output="float32")
    np.testing.assert_allclose(way[0], samples[0], atol=1e-4)
    np.testing.assert_allclose(way[-1], samples[3], atol=1e-4)
    latents = vae.latents(4)
    assert (vae.interpolate(latents[0], latents[3], 5, output="float32") == way).all()


def test_explain_says_what_and_why(eager: Engine) -> None:
    text = eager.explain()
    assert "dcgan-classes (dcgan, 4 classes)" in text
    assert "eager" in text
    assert "batches of 4" in text


REFUSED = {
    "n is zero": ({"n": 0}, "n=0 must be at least 1"),
    "n is negative": ({"n": -4}, "n=-4"),
    "n is no number": ({"n": 1.5}, r"n=1\.5 must be a whole number"),
    "n is a bool": ({"n": True}, "n=True"),
    "n does not fit": ({"n": 10**12}, r"3\.07 PB of memory.*stream"),
    "start": ({"n": 1, "start": -1}, "start=-1"),
    "seed": ({"n": 1, "seed": -1}, "seed=-1"),
    "output": ({"n": 1, "output": "uint16"}, "output='uint16' is unknown; known are uint8"),
    "label": ({"n": 1, "labels": "cow"}, "unknown class 'cow'"),
    "labels": ({"n": 3, "labels": [1, 2]}, "2 labels were given for n=3"),
    "out": ({"n": 2, "out": np.empty((2, 3, 3, 3), np.uint8)}, "out has shape"),
    "out is a list": ({"n": 1, "out": [1]}, "out must be a numpy array, not list"),
    "start and n": ({"n": 5, "start": 2**63 - 1}, "go beyond the last sample"),
    "truncation": ({"n": 1, "truncation": "0.7"}, "truncation='0.7' must be a positive number"),
    "labels are a set": ({"n": 2, "labels": {0, 1}}, "labels of type set"),
    "label is no digit": ({"n": 1, "labels": "²"}, "unknown class '²'"),
    "label is a float": ({"n": 1, "labels": 1.5}, "labels of type float"),
    "one label in a list": ({"n": 3, "labels": [1]}, "a single class instead of a list"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_bad_arguments(case: tuple[dict[str, object], str], eager: Engine) -> None:
    arguments, message = case
    with pytest.raises(OptionError, match=message):
        eager.generate(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("truncation", [0.0, -0.5, float("nan")])
def test_bad_truncation(truncation: float, eager: Engine) -> None:
    with pytest.raises(OptionError, match="truncation="):
        eager.generate(1, truncation=truncation)


def test_bad_latents(eager: Engine, vae: Engine) -> None:
    with pytest.raises(OptionError, match=r"shape \(2, 5\); this model takes \(n, 16\)"):
        eager.decode(np.zeros((2, 5), np.float32))
    with pytest.raises(OptionError, match="NaN"):
        eager.decode(np.full((1, 16), np.nan))
    with pytest.raises(OptionError, match="type <U1"):
        eager.decode(np.array([["a"] * 16]))
    with pytest.raises(OptionError, match=r"uint8 images have the shape"):
        vae.encode(np.zeros((1, 28, 28, 1), np.uint8))
    with pytest.raises(OptionError, match="span -1 to 1"):
        vae.encode(np.linspace(-1, 1, 1024).reshape(1, 1, 32, 32))
    with pytest.raises(OptionError, match="has no encoder"):
        eager.encode(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "onxruntime"}, "unknown backend 'onxruntime'; known are auto, eager"),
        ({"backend": "tensorrt"}, "does not open .*; these do: eager"),
        ({"device": "tpu"}, "device='tpu' is not possible with backend 'eager'"),
        ({"precision": "int3"}, "precision='int3'"),
        ({"precision": None}, "precision=None must be a name, or 'auto'"),
        ({"device": 3}, "device=3 must be a name, or 'auto'"),
        ({"backend": b"eager"}, "backend=b'eager' must be a name, or 'auto'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": "4"}, "batch_size='4' must be a whole number"),
        ({"batch_size": 10**12}, "batch_size=1000000000000 would take .* choose a smaller one"),
        ({"threads": -1}, "threads=-1"),
        ({"threads": 10**6}, "threads=1000000 must be at most 1024"),
        ({"classes": -1}, "classes=-1 must be a whole number"),
        ({"output_range": (1.0, 0.0)}, r"output_range=\(1\.0, 0\.0\) must be two rising"),
        ({"classes": 3}, "classes=3 does not apply to .*; leave it out"),
    ],
)
def test_bad_options(arguments: dict[str, object], message: str, checkpoints: Models) -> None:
    with pytest.raises(OptionError, match=message):
        Engine(checkpoints["dcgan"], **arguments)  # type: ignore[arg-type]


def test_bad_files(tmp_path: Path, checkpoints: Models) -> None:
    with pytest.raises(ArtifactError, match="no such file, and no shipped model"):
        Engine("dcgan-digit")
    with pytest.raises(ArtifactError, match="is a folder"):
        Engine(tmp_path)
    odd = tmp_path / "model.xyz"
    odd.write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"unknown kind of file '\.xyz'"):
        Engine(odd)
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ArtifactError, match="is empty"):
        Engine(empty)
    cut = tmp_path / "cut.pt"
    cut.write_bytes(checkpoints["dcgan"].read_bytes()[:4000])
    with pytest.raises(ArtifactError, match="a damaged checkpoint, or cut short"):
        Engine(cut)


def test_options_of_a_file_that_describes_itself(onnx_files: Models) -> None:
    for options in ({"arch": "no:no"}, {"classes": 4}, {"output_range": (0.0, 1.0)}):
        with pytest.raises(OptionError, match="does not apply to .*; leave it out"):
            Engine(onnx_files["dcgan"], **options)  # type: ignore[arg-type]


def test_samples_beyond_the_last_number(vae: Engine) -> None:
    z, images = np.zeros((3, *vae.spec.latent.shape)), vae.generate(3)
    for call in (
        lambda: vae.decode(z, start=2**63 - 2),
        lambda: vae.encode(images, sample=True, start=2**63 - 2),
        lambda: vae.generate(3, start=2**63 - 2),
    ):
        with pytest.raises(OptionError, match="go beyond the last sample number"):
            call()
    with pytest.raises(OptionError, match="progress=3 must be a function"):
        vae.generate(3, progress=3)


@pytest.mark.parametrize("backend", ["eager", "onnxruntime", "null"])
def test_a_closed_engine_says_so(backend: str, onnx_files: Models) -> None:
    engine = Engine(onnx_files["vae"], backend=backend)
    images = engine.generate(1)
    engine.close()
    engine.close()
    for call in (lambda: engine.generate(1), lambda: engine.encode(images)):
        with pytest.raises(OptionError, match="the engine of 'vae' is closed"):
            call()


def test_labels_come_in_many_kinds(eager: Engine) -> None:
    import torch

    expected = eager.generate(3, labels=[0, 1, 2])
    for labels in (range(3), (0, 1, 2), torch.arange(3), np.arange(3, dtype=np.uint8)):
        assert (eager.generate(3, labels=labels) == expected).all()
    assert (eager.generate(3, labels=np.array(1)) == eager.generate(3, labels=1)).all()


def test_latents_come_in_many_kinds(vae: Engine) -> None:
    import torch

    latents = vae.latents(3)
    expected = vae.decode(latents)
    tensor = torch.from_numpy(latents).requires_grad_()
    for z in (latents.tolist(), latents.astype(np.float64), tensor):
        assert (vae.decode(z) == expected).all()
    with pytest.raises(OptionError, match="cannot be read as one array"):
        vae.decode([[1.0], [1.0, 2.0]])
    with pytest.raises(OptionError, match="NaN or infinity"):
        vae.decode(np.full((1, 6), 1e300))


def test_nan_in_the_output_names_the_sample(
    checkpoints: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.backends.base import Batch
    from engine.backends.null import NullBackend

    run = NullBackend.run

    def broken(self: NullBackend, entry_point: str, inputs: dict[str, np.ndarray]) -> Batch:
        result = run(self, entry_point, inputs).numpy("images").copy()
        result[2, 0, 0, 0] = np.nan
        return Batch({"images": result})

    monkeypatch.setattr(NullBackend, "run", broken)
    engine = Engine(checkpoints["dcgan"], backend="null", batch_size=4)
    for output in ("uint8", "float32", "torch"):
        with pytest.raises(NumericalError, match=r"sample 6 of 'dcgan' \(null, fp32\) holds NaN"):
            engine.generate(3, start=5, output=output)
    assert engine.generate(2, start=4).shape == (2, 32, 32, 1)
