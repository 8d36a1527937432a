"""Programs that would run code when torch reads them: refused before it does, or disarmed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import ArtifactError
from engine.core.options import LoadOptions
from engine.models.load import load_generator
from export.program import export_program

Members = dict[str, bytes]
Change = Callable[[Members, str], None]
GRAPH = "models/model.json"
SAMPLES = "data/sample_inputs/model.pt"
CONSTANTS = "data/constants/model_constants_config.json"
WEIGHTS = "data/weights/model_weights_config.json"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stranger's program."""
    path = tmp_path_factory.mktemp("program") / "good.pt2"
    network = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Unflatten(1, (1, 8, 8))).eval()
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(network, (torch.zeros(2, 8),), dynamic_shapes=shapes), path
    )
    return path


def changed(good: Path, out: Path, change: Change, mark: Path) -> Path:
    with zipfile.ZipFile(good) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members, str(mark))
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"evil/{name}", content)
    return out


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def _saved(value: Any) -> bytes:
    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


def _edit(members: Members, name: str, edit: Callable[[Any], None]) -> None:
    values = json.loads(members[name])
    edit(values)
    members[name] = json.dumps(values).encode()


def sample_inputs(members: Members, mark: str) -> None:
    members[SAMPLES] = _saved(((Payload(mark),), {}))


def pickled_weight(members: Members, mark: str) -> None:
    members["data/weights/weight_0"] = _saved(Payload(mark))
    _edit(members, WEIGHTS, lambda v: v["config"]["0.weight"].update(use_pickle=True))


def pickled_constant(members: Members, mark: str) -> None:
    """No field says that this is a pickle: the name of the file does."""
    members["data/constants/opaque_obj_0"] = pickle.dumps(Payload(mark))
    weight = json.loads(members[WEIGHTS])["config"]["0.bias"]
    bytes_of_it = {**weight["tensor_meta"], "dtype": 1, "requires_grad": False}
    payload = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    _edit(
        members, CONSTANTS, lambda v: v["config"].update(c={**payload, "tensor_meta": bytes_of_it})
    )


def operator_of_the_system(members: Members, mark: str) -> None:
    def edit(program: Any) -> None:
        node = program["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.os.mkdir"
        node["inputs"] = [{"name": "", "arg": {"as_string": mark}, "kind": 1}]

    _edit(members, GRAPH, edit)


def size_that_is_code(members: Members, mark: str) -> None:
    text = members[GRAPH].decode()
    start = text.index('"expr_str": "') + len('"expr_str": "')
    end = text.index('"', start)
    code = f"__import__('os').mkdir('{mark}') or {text[start:end]}"
    members[GRAPH] = (text[:start] + code + text[end:]).encode()


def guard_that_is_code(members: Members, mark: str) -> None:
    code = f"__import__('os').mkdir('{mark}') is None"
    _edit(members, GRAPH, lambda program: program.update(guards_code=[code]))


def name_that_is_code(members: Members, mark: str) -> None:
    name = f"z=__import__('os').mkdir('{mark}')"
    members[GRAPH] = members[GRAPH].replace(
        b'"name": "input"}', json.dumps({"name": name})[1:].encode()
    )


def compiled_library(members: Members, mark: str) -> None:
    members["data/aotinductor/model/model.so"] = b"\x7fELF"


def older_format(members: Members, mark: str) -> None:
    members.clear()
    members["version"] = b"8.20"
    members["serialized_example_inputs.pt"] = _saved(Payload(mark))


CHANGES: dict[Change, str] = {
    pickled_weight: "pickled objects, which are never executed",
    pickled_constant: "'opaque_obj_0'|pickled",
    operator_of_the_system: r"the operator 'torch\.os\.mkdir'",
    size_that_is_code: "the size .__import__",
    name_that_is_code: "could run any code",
    compiled_library: "neither graph nor weights",
    older_format: "neither graph nor weights",
}
# What has no part in sampling is not read at all.
DISARMED: tuple[Change, ...] = (sample_inputs, guard_that_is_code)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_code_is_refused(change: Change, good: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = changed(good, tmp_path / "evil.pt2", change, mark)
    with pytest.raises(ArtifactError, match=CHANGES[change]) as caught:
        load_generator(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert not mark.exists()


@pytest.mark.parametrize("change", DISARMED, ids=lambda change: change.__name__)
def test_code_is_left_out(change: Change, good: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    loaded = load_generator(changed(good, tmp_path / "evil.pt2", change, mark))
    assert loaded.entry_points["decoder"](torch.zeros(3, 8)).shape == (3, 1, 8, 8)
    assert not mark.exists()


@pytest.mark.parametrize(
    "change",
    [sample_inputs, pickled_weight, pickled_constant, size_that_is_code],
    ids=lambda change: change.__name__,
)
def test_torch_alone_would_run_it(change: Change, good: Path, tmp_path: Path) -> None:
    """The files above are live: without the check the mark is made."""
    mark = tmp_path / "executed"
    path = changed(good, tmp_path / "evil.pt2", change, mark)
    with contextlib.suppress(Exception):
        torch.export.load(path).module()(torch.zeros(3, 8))
    assert mark.exists()


def test_text_for_operators_is_let_through(tmp_path: Path) -> None:
    class Equation(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ParameterDict({"to-rgb": torch.ones(8, 64)})

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            made = torch.einsum("bi,ij->bj", z, self.parts["to-rgb"])
            with torch.no_grad():
                made = made + 1
            return made.view(-1, 1, 8, 8)

    path = tmp_path / "equation.pt2"
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(
        torch.export.export(Equation().eval(), (torch.zeros(2, 8),), dynamic_shapes=shapes), path
    )
    made = load_generator(path).entry_points["decoder"](torch.ones(3, 8))
    assert torch.equal(made, torch.full((3, 1, 8, 8), 9.0))


def test_powers_are_refused(good: Path, tmp_path: Path) -> None:
    def power(members: Members, mark: str) -> None:
        members[GRAPH] = members[GRAPH].replace(b'"expr_str": "', b'"expr_str": "9**9**9**9+')

    path = changed(good, tmp_path / "evil.pt2", power, tmp_path)
    with pytest.raises(ArtifactError, match=r"the size .9\*\*9"):
        load_generator(path)


def test_an_empty_weight_of_any_size(good: Path, tmp_path: Path) -> None:
    def empty(members: Members, mark: str) -> None:
        members["data/weights/weight_0"] = b""

    path = changed(good, tmp_path / "evil.pt2", empty, tmp_path)
    with pytest.raises(ArtifactError, match=r"weight_0 is empty, and said to be of shape \[64, 8"):
        load_generator(path)


def test_a_bomb(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt2"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good/extra/zeros", bytes(1 << 20))
    with pytest.raises(ArtifactError, match="is compressed; torch.export stores it"):
        load_generator(path)


def test_two_directories_that_differ(good: Path, tmp_path: Path) -> None:
    """Bytes in front: zipfile finds the directory all the same, torch's reader where it was."""
    path = tmp_path / "moved.pt2"
    path.write_bytes(b"#!" + good.read_bytes())
    with pytest.raises(ArtifactError, match="listed at"):
        load_generator(path)


def test_names_that_differ_in_case(good: Path, tmp_path: Path) -> None:
    def twice(members: Members, mark: str) -> None:
        members[GRAPH.upper()] = members[GRAPH]

    path = changed(good, tmp_path / "evil.pt2", twice, tmp_path)
    with pytest.raises(ArtifactError, match="stands twice"):
        load_generator(path)


def test_our_programs_have_a_digest(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    path, other = tmp_path / "a.pt2", tmp_path / "b.pt2"
    export_program(load_generator(checkpoints["gan-mlp"]), path)
    assert load_generator(path, LoadOptions()).spec.name == "gan-mlp"

    def weight(members: Members, mark: str) -> None:
        data = members["data/weights/weight_0"]
        members["data/weights/weight_0"] = data[:-1] + bytes([data[-1] ^ 1])

    changed(path, other, weight, tmp_path)
    with pytest.raises(ArtifactError, match="changed since it was exported"):
        load_generator(other)
