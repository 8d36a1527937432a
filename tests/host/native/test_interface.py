"""The C interface itself: what is no network, no list or no text is an error, not a crash."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from kernels.native import library
from kernels.native.library import CItem, COperation, COptions, CValue
from kernels.native.network import Form, Network, Space, Value

if library.unavailable():
    pytest.skip(str(library.unavailable()), allow_module_level=True)

LIBRARY = library.load()
_PLAIN = CValue(Form.PLAIN, Space.INPUT, 0, 5, 3)
_RESULT = CValue(Form.PLAIN, Space.OUTPUT, 0, 5, 3)


def message() -> str:
    return LIBRARY.gk_error().decode()


@pytest.fixture
def network() -> Any:
    handle = LIBRARY.gk_new(ctypes.byref(COptions(16, 2, 0, 1024, None)))
    yield handle
    LIBRARY.gk_free(handle)


def operation(**changes: Any) -> COperation:
    made = COperation()
    made.kind, made.name = b"convert", b"copy"
    made.inputs, made.outputs = ctypes.pointer(_PLAIN), ctypes.pointer(_RESULT)
    made.input_count = made.output_count = 1
    made.integers, made.integer_count = (ctypes.c_int64 * 1)(1), 1
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_null_pointers_are_told(network: Any) -> None:
    assert LIBRARY.gk_new(None) is None
    assert message() == "options is a null pointer"
    assert LIBRARY.gk_add(None, ctypes.byref(operation())) == -1
    assert message() == "the network is a null pointer"
    assert LIBRARY.gk_add(network, None) == -1
    assert message() == "operation is a null pointer"
    assert LIBRARY.gk_schedule(None, None, 0) == -1
    assert LIBRARY.gk_schedule(network, None, 2) == -1
    assert LIBRARY.gk_schedule(network, (CItem * 1)(), -1) == -1
    assert LIBRARY.gk_granularity(None, 0) == -1
    assert LIBRARY.gk_run(None, 1, None, None, None) == -1
    assert LIBRARY.gk_weight_bytes(None) == -1
    assert LIBRARY.gk_workspace_bytes(None) == -1
    LIBRARY.gk_free(None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": None}, "an operation has no kind"),
        ({"inputs": None}, "its inputs are a null pointer"),
        ({"outputs": None}, "its outputs are a null pointer"),
        ({"integers": None}, "its integers are a null pointer"),
        ({"number_count": 1}, "its numbers are a null pointer"),
        ({"array_count": 1}, "its arrays are a null pointer"),
        ({"input_count": -1}, "has -1 inputs"),
        ({"output_count": -(2**31)}, "has -2147483648 outputs"),
        ({"integer_count": -1}, "has -1 integers"),
        ({"output_count": 0}, "0 outputs"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_lists_that_are_not_there(network: Any, changes: Any, expected: str) -> None:
    assert LIBRARY.gk_add(network, ctypes.byref(operation(**changes))) == -1
    assert expected in message()


def test_an_operation_needs_no_name(network: Any) -> None:
    assert LIBRARY.gk_add(network, ctypes.byref(operation(name=None))) == 0
    assert LIBRARY.gk_add(network, ctypes.byref(operation(name=None, integer_count=0))) == -1
    assert message() == "an operation (convert): has too few integers"


def test_long_messages_are_cut_off(network: Any) -> None:
    assert LIBRARY.gk_add(network, ctypes.byref(operation(kind=b"k" * 100_000))) == -1
    assert 900 < len(message()) < 1100


@pytest.mark.parametrize(
    "options",
    [
        COptions(0, 1, 0, 0, None),
        COptions(65537, 1, 0, 0, None),
        COptions(-16, 1, 0, 0, None),
        COptions(16, 0, 0, 0, None),
        COptions(16, 2**31 - 1, 0, 0, None),
        COptions(16, 1, 0, -1, None),
        COptions(16, 1, 0, 2**62, None),
        COptions(16, 1, 0, 0, b""),
    ],
    ids=["no-images", "capacity", "negative", "no-threads", "threads", "arena", "memory", "set"],
)
def test_options_out_of_range(options: COptions) -> None:
    assert LIBRARY.gk_new(ctypes.byref(options)) is None
    assert message()


def test_a_run_needs_its_arrays_and_images(network: Any) -> None:
    assert LIBRARY.gk_add(network, ctypes.byref(operation())) == 0
    x, y = np.ones((4, 5, 3), np.float32), np.zeros((4, 5, 3), np.float32)
    inputs = (ctypes.c_void_p * 1)(x.ctypes.data)
    outputs = (ctypes.c_void_p * 1)(y.ctypes.data)
    flags = (ctypes.c_uint8 * 4)()
    missing = (ctypes.c_void_p * 1)()
    for images, given, expected in [
        (-1, (inputs, outputs, flags), "-1 images"),
        (-(2**63), (inputs, outputs, flags), "images"),
        (2**62, (inputs, outputs, flags), "images"),
        (2**47, (inputs, outputs, None), "finite is a null pointer"),
        (4, (None, outputs, flags), "input 0 is a null pointer"),
        (4, (missing, outputs, flags), "input 0 is a null pointer"),
        (4, (inputs, missing, flags), "output 0 is a null pointer"),
    ]:
        assert LIBRARY.gk_run(network, images, *given) == -1
        assert expected in message()
    assert LIBRARY.gk_run(network, 0, None, None, None) == 0
    assert LIBRARY.gk_run(network, 4, inputs, outputs, flags) == 0
    np.testing.assert_array_equal(x, y)


def test_an_argument_of_a_high_number_is_refused() -> None:
    far = Value(Form.PLAIN, Space.INPUT, 1 << 40, 5, 3)
    with Network(16, 0) as network, pytest.raises(ValueError, match="too high a number"):
        network.add("convert", [far], [Value(Form.PLAIN, Space.OUTPUT, 0, 5, 3)], integers=[1])


@pytest.mark.parametrize("form", [Form.PLAIN, Form.PLAIN16, Form.LANES], ids=lambda f: f.name)
def test_values_between_their_elements_are_refused(form: Form) -> None:
    value = Value(form, Space.ARENA, 2, 5, 3)
    source = Value(Form.PLAIN, Space.INPUT, 0, 5, 3)
    with Network(16, 1 << 20) as network, pytest.raises(ValueError, match="no multiple of"):
        network.add("convert", [source], [value], integers=[1])
