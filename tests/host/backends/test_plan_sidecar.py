"""Everything about a plan that is decided without a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.backends import _plan_sidecar as sidecars
from engine.backends._plan_sidecar import PlanTensor, Profile, Sidecar
from engine.core.artifacts import SourceFile, sidecar_path
from engine.core.errors import ArtifactError, BackendUnavailableError, EngineError, OptionError
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec, Noise, Output

SPEC = GeneratorSpec("small", "test", Noise((12,)), Output.image((3, 2, 2)))
TENSORS = (
    PlanTensor("z", "input", "float32", (-1, 12)),
    PlanTensor("images", "output", "float32", (-1, 3, 2, 2)),
)
PLAN = Path("small.plan")
SIDECAR = Sidecar(
    entry_point="decoder",
    sha256="",
    builder="tensorrt-rtx",
    builder_version="1.7.1.116",
    targets=("sm86", "sm89"),
    precision="fp32",
    batch=Profile(1, 4, 8),
    tensors=TENSORS,
    source=SourceFile("small.onnx", "0" * 64),
)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "small.plan"
    path.write_bytes(b"plan")
    return path


def write(plan: Path, **changed: Any) -> None:
    values = sidecars.as_values(replace(SIDECAR, sha256=sha256(plan)), SPEC)
    kept = {name: value for name, value in {**values, **changed}.items() if value is not None}
    sidecar_path(plan).write_text(json.dumps(kept))


def test_what_is_written_is_read(plan: Path) -> None:
    assert sidecars.read(plan) is None
    write(plan)
    assert sidecars.read(plan) == (replace(SIDECAR, sha256=sha256(plan)), SPEC)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": None}, "no generator-plan of version 1 .it says None, 1."),
        ({"version": 2}, "it says 'generator-plan', 2.* build the plan again.*or update the"),
        ({"version": True, "format": []}, "no generator-plan of version 1"),
        ({"sha256": "0" * 64}, "belongs to another plan, or the plan is damaged"),
        ({"sha256": 7}, "sha256: 7 is not of the type str"),
        ({"builder": "tvm"}, "builder 'tvm' is none of tensorrt, tensorrt-rtx"),
        ({"entry_point": "discriminator"}, "'discriminator' is neither decoder nor encoder"),
        ({"batch": {"min": 1, "max": 8}}, "batch: profile lacks the field 'opt'"),
        ({"batch": [1, 4, 8]}, "profile must be a JSON object"),
        ({"tensors": [{"name": "z"}]}, "tensors: plantensor lacks the field 'mode'"),
        ({"tensors": None}, "lacks the field 'tensors'"),
        ({"colour": "red"}, "no 'colour'; it may be of a newer version"),
        ({"spec": {"version": 1}}, "lacks the field"),
        ({"spec": None}, "lacks the key 'spec'"),
    ],
)
def test_damaged_sidecars(plan: Path, changed: dict[str, Any], message: str) -> None:
    write(plan, **changed)
    with pytest.raises(ArtifactError, match=message) as error:
        sidecars.read(plan)
    assert str(plan) in str(error.value)


def test_a_plan_with_one_bit_flipped_is_not_the_one(plan: Path) -> None:
    write(plan)
    plan.write_bytes(b"plao")
    with pytest.raises(ArtifactError, match="or the plan is damaged; build the plan again"):
        sidecars.read(plan)


@pytest.mark.parametrize(
    ("check", "error", "message"),
    [
        (
            lambda: sidecars.check_entry_point(
                replace(SIDECAR, entry_point="encoder"), Path("a.encoder.plan"), "decoder"
            ),
            ArtifactError,
            "this is the encoder of a generator; open a.plan",
        ),
        (
            lambda: sidecars.check_entry_point(SIDECAR, PLAN, "encoder"),
            ArtifactError,
            "this is the decoder of a generator; build",
        ),
        (
            lambda: sidecars.check_builder(SIDECAR, PLAN, ["tensorrt"]),
            BackendUnavailableError,
            r"built by tensorrt-rtx, installed is tensorrt; pip install '.*\[rtx\]'",
        ),
        (
            lambda: sidecars.check_builder(replace(SIDECAR, builder="tensorrt"), PLAN, []),
            BackendUnavailableError,
            r"installed is neither; pip install '.*\[cuda\]'",
        ),
        (
            lambda: sidecars.check_version(SIDECAR, PLAN, "1.8.0.1"),
            ArtifactError,
            "built by tensorrt-rtx 1.7.1.116, installed is 1.8.0.1; .* build the plan again",
        ),
    ],
    ids=["encoder", "decoder", "other builder", "no builder", "version"],
)
def test_what_does_not_fit_this_machine(
    check: Callable[[], None], error: type[EngineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check()


def test_what_fits_is_silent() -> None:
    sidecars.check_entry_point(SIDECAR, PLAN, "decoder")
    sidecars.check_builder(SIDECAR, PLAN, ["tensorrt", "tensorrt-rtx"])
    sidecars.check_version(SIDECAR, PLAN, "1.7.1.116")
    sidecars.check_tensors(SIDECAR, PLAN, tuple(reversed(TENSORS)), Profile(1, 4, 8))


@pytest.mark.parametrize(
    ("builder", "targets", "fit", "unfit"),
    [
        ("tensorrt-rtx", ("portable",), (80, 89, 120), (75,)),
        # Whether named generations run on later ones, TensorRT-RTX itself knows.
        ("tensorrt-rtx", ("sm86", "sm89"), (86, 89, 120), (75, 80)),
        ("tensorrt", ("sm90",), (90,), (80, 100, 120)),
        ("tensorrt", ("portable",), (80, 90), (75,)),
        ("tensorrt", ("this GPU",), (75, 90), ()),
    ],
)
def test_targets(
    builder: str, targets: tuple[str, ...], fit: tuple[int, ...], unfit: tuple[int, ...]
) -> None:
    sidecar = replace(SIDECAR, builder=builder, targets=targets)
    for capability in fit:
        sidecars.check_targets(sidecar, PLAN, capability)
    for capability in unfit:
        words = f"built for {', '.join(targets)}, this GPU is sm{capability}; build it with"
        with pytest.raises(ArtifactError, match=words):
            sidecars.check_targets(sidecar, PLAN, capability)


@pytest.mark.parametrize(
    ("tensors", "profile", "message"),
    [
        (TENSORS[:1], Profile(1, 4, 8), r"says output 'images' float32 .*, the plan has no 'im"),
        (
            (replace(TENSORS[0], dtype="float16"), TENSORS[1]),
            Profile(1, 4, 8),
            r"says input 'z' float32 \[-1, 12\], the plan has input 'z' float16 \[-1, 12\]",
        ),
        (
            (TENSORS[0], replace(TENSORS[1], shape=(-1, 2, 2, 3))),
            Profile(1, 4, 8),
            r"has output 'images' float32 \[-1, 2, 2, 3\]",
        ),
        (
            (*TENSORS, PlanTensor("extra", "output", "bool", ())),
            Profile(1, 4, 8),
            r"says no 'extra', the plan has output 'extra' bool \[\]",
        ),
        (TENSORS, Profile(1, 4, 16), "says batches of 1:4:8, the plan takes 1:4:16"),
    ],
    ids=["missing", "type", "shape", "extra", "profile"],
)
def test_tensors_that_are_not_as_declared(
    tensors: tuple[PlanTensor, ...], profile: Profile, message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        sidecars.check_tensors(SIDECAR, PLAN, tensors, profile)


def test_the_bucket() -> None:
    profile = Profile(2, 4, 8)
    asked = (None, 2, 5, 8)
    assert [sidecars.bucket(size, profile, PLAN) for size in asked] == [4, 2, 5, 8]
    for size in (1, 9):
        with pytest.raises(OptionError, match=f"batch_size={size} is outside .* of 2 to 8"):
            sidecars.bucket(size, profile, PLAN)


def test_names_of_types() -> None:
    names = ("FLOAT", "HALF", "BF16", "INT64", "UINT8", "FP8")
    assert [sidecars.dtype_name(name) for name in names] == [
        "float32",
        "float16",
        "bfloat16",
        "int64",
        "uint8",
        "fp8",
    ]
