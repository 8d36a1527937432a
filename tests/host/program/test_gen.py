from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import ArtifactError, NumericalError
from engine.core.records import ArrayTable, decode_record, encode_record
from engine.program import gen, graph
from engine.program.execute import execute
from engine.program.gen import Gen
from engine.program.graph import Operation, Program, Value
from kernels.geometry import Geometry
from tests.cases.small_programs import GENERATORS, SOURCE, dcgan, program, weights


def assert_same_records(ours: Any, theirs: Any) -> None:
    for item in dataclasses.fields(ours):
        a, b = getattr(ours, item.name), getattr(theirs, item.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype == np.float32
            np.testing.assert_array_equal(a, b)
        elif isinstance(a, tuple) and any(isinstance(part, np.ndarray) for part in a):
            for part, other in zip(a, b, strict=True):
                np.testing.assert_array_equal(part, other)
        else:
            assert a == b, item.name


def assert_same_program(ours: Program, theirs: Program) -> None:
    assert (ours.name, ours.inputs, ours.outputs) == (theirs.name, theirs.inputs, theirs.outputs)
    assert list(ours.values.items()) == list(theirs.values.items())
    assert [type(op) for op in ours.operations] == [type(op) for op in theirs.operations]
    for a, b in zip(ours.operations, theirs.operations, strict=True):
        assert_same_records(a, b)


@pytest.mark.parametrize("name", GENERATORS)
def test_what_is_written_is_read(name: str, tmp_path: Path) -> None:
    model = GENERATORS[name]()
    path = tmp_path / "x.gen"
    gen.write(path, model)
    back = gen.read(path)
    assert back.spec == model.spec
    assert back.source == SOURCE
    assert gen.read_spec(path) == model.spec
    assert list(back.programs) == list(model.programs)
    for entry_point in model.programs:
        assert_same_program(back.programs[entry_point], model.programs[entry_point])


def every_operation() -> tuple[Operation, ...]:
    ends = {"name": "node/1", "inputs": ("a", ""), "outputs": ("b",)}
    act = graph.Activation("clip", -np.inf, 6.0)
    return (
        graph.Convolution(
            **ends,
            geometry=Geometry.forward((9, 9, 9), (3, 3, 3), 2, 1, 2),
            weight=weights(1, 3, 3, 3, 2, 4),
            groups=2,
        ),
        graph.Linear(**ends, weight=weights(2, 3, 5), shift=weights(3, 5), activation=act),
        graph.Elementwise(**ends, activation=act),
        graph.Add(**ends, activation=act),
        graph.Concat(**ends, axis=-2),
        graph.Reshape(**ends, shape=(3, 1)),
        graph.Permute(**ends, axes=(1, 0)),
        graph.Upsample(**ends, scales=(2, 3)),
        graph.InstanceNorm(**ends, scale=weights(4, 6), shift=weights(5, 6), epsilon=1e-3),
        graph.Embedding(**ends, table=weights(6, 3, 2, 2)),
        graph.Affine(**ends, scale=weights(11, 4), activation=act),
        graph.PRelu(**ends, slope=weights(12, 1)),
        graph.Binary(**ends, function="max"),
        graph.MatMul(**ends),
        graph.Softmax(**ends),
        graph.Reduce(**ends, function="mean", axes=(0, 1)),
        graph.Pool(**ends, function="max", geometry=Geometry.forward((8,), (2,), 2)),
        graph.Constant(**ends, value=weights(13, 2, 3)),
        graph.Slice(**ends, begin=(1, 3), sizes=(2, 2), step=(1, -1)),
        graph.Pad(**ends, before=(0, 1), after=(2, 0), mode="reflect", value=-np.inf),
        graph.Resample(**ends, matrices=(weights(14, 6, 3), None)),
        graph.LayerNorm(**ends, scale=weights(15, 6), shift=weights(16, 6)),
        graph.Recurrent(
            **ends,
            cell="gru",
            weight=weights(7, 4, 6),
            recurrent=weights(8, 2, 6),
            bias=weights(9, 6),
            recurrent_bias=weights(10, 6),
            reverse=True,
        ),
    )


@pytest.mark.parametrize("operation", every_operation(), ids=lambda op: op.kind)
def test_every_kind_of_operation_goes_through_json(operation: Operation) -> None:
    table = ArrayTable()
    text = json.dumps(encode_record(operation, table), allow_nan=False)
    assert_same_records(decode_record(json.loads(text), type(operation), table.arrays), operation)


def test_all_kinds_are_covered() -> None:
    assert {operation.kind for operation in every_operation()} == set(graph.OPERATIONS)


def test_same_model_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gen", "b.gen"):
        gen.write(tmp_path / name, dcgan())
    assert (tmp_path / "a.gen").read_bytes() == (tmp_path / "b.gen").read_bytes()


def test_weights_are_views_of_the_mapped_file(tmp_path: Path) -> None:
    gen.write(tmp_path / "x.gen", dcgan())
    for operation in gen.read(tmp_path / "x.gen").programs["decoder"].operations:
        for array in (getattr(operation, "weight", None), getattr(operation, "shift", None)):
            if array is not None:
                assert not array.flags.owndata
                assert not array.flags.writeable
                assert array.ctypes.data % 64 == 0


def test_weights_that_fit_float16_take_half_the_room(tmp_path: Path) -> None:
    model = dcgan(width=64)
    for operation in model.programs["decoder"].operations:
        if hasattr(operation, "weight"):
            operation.weight[...] = operation.weight.astype(np.float16)
    gen.write(tmp_path / "half.gen", model)
    gen.write(tmp_path / "full.gen", dcgan(width=64))
    half, full = ((tmp_path / name).stat().st_size for name in ("half.gen", "full.gen"))
    assert 0.5 < half / full < 0.53
    back = gen.read(tmp_path / "half.gen").programs["decoder"]
    assert_same_program(back, model.programs["decoder"])


def test_what_is_read_computes_the_same(tmp_path: Path) -> None:
    model = GENERATORS["vae"]()
    gen.write(tmp_path / "x.gen", model)
    back = gen.read(tmp_path / "x.gen")
    feed = {"z": weights(1, 3, 5), "labels": np.array([0, 2, 1])}
    ours = execute(back.programs["decoder"], feed)["images"]
    np.testing.assert_array_equal(ours, execute(model.programs["decoder"], feed)["images"])


def test_reading_imports_numpy_alone(tmp_path: Path) -> None:
    gen.write(tmp_path / "x.gen", dcgan())
    code = (
        "import sys\nfrom engine.program import gen\n"
        f"gen.read({str(tmp_path / 'x.gen')!r})\nprint(*sorted(sys.modules))"
    )
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"torch", "onnx", "onnxruntime", "triton", "PIL", "safetensors"}
    assert not heavy & {name.partition(".")[0] for name in modules}


def test_weights_that_are_nan_are_not_written(tmp_path: Path) -> None:
    model = dcgan()
    model.programs["decoder"].operations[2].weight[0, 1, 2, 3] = np.nan
    with pytest.raises(NumericalError, match="weight of the convolution 'u' holds NaN"):
        gen.write(tmp_path / "x.gen", model)
    assert not list(tmp_path.iterdir())


def test_a_program_that_does_not_fit_its_spec_is_not_written(tmp_path: Path) -> None:
    model = dcgan()
    other = Gen(model.spec.replace(latent=dataclasses.replace(model.spec.latent, shape=(17,))), {})
    with pytest.raises(ArtifactError, match="holds programs for nothing"):
        gen.write(tmp_path / "x.gen", other)
    with pytest.raises(ArtifactError, match=r"the decoder takes 'z' of shape \[16\]"):
        gen.write(tmp_path / "x.gen", Gen(other.spec, model.programs))
    broken = program("decoder", (Value("z", (16,)),), *model.programs["decoder"].operations[:1])
    broken = dataclasses.replace(broken, operations=(broken.operations[0],) * 2)
    with pytest.raises(ArtifactError, match="writes 'h' a second time"):
        gen.write(tmp_path / "x.gen", Gen(model.spec, {"decoder": broken}))
