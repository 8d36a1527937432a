"""Headers with one value changed at random, hashes right: read as they are, or refused cleanly."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.errors import ArtifactError
from engine.program import gen
from tests.cases.small_programs import GENERATORS
from tests.host.program.gen_bytes import forged, header_of

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([-1, 0, 1, 2, 3, 4, 8, 2**31, 2**63]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["convolution", "linear", "recurrent", "float16", "inf", "nan", "z", "images"]),
    st.lists(st.integers(-2, 2**40), max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], bytes]:
    path = tmp_path_factory.mktemp("gen") / "x.gen"
    gen.write(path, GENERATORS["vae"]())
    return header_of(path.read_bytes())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all nodes below a JSON value."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    found = []
    for key, child in children:
        found += [(*path, key), *places(child, (*path, key))]
    return found


def refusal(path: Path) -> str | None:
    try:
        gen.read(path)
    except ArtifactError as error:
        return str(error)
    return None


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_one_value_changed(
    data: st.DataObject, good: tuple[dict[str, Any], bytes], tmp_path: Path
) -> None:
    header, body = copy.deepcopy(good[0]), good[1]
    place = data.draw(st.sampled_from(places(header)))
    parent: Any = header
    for key in place[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()) and isinstance(parent, dict):
        del parent[place[-1]]
    else:
        parent[place[-1]] = data.draw(ANYTHING)
    path = tmp_path / "bad.gen"
    path.write_bytes(forged(header, body))
    message = refusal(path)
    assert message is None or message.startswith(f"{path}: ")
    assert len(message or "") < 2000
