"""Binaries made ahead of time: the file, what is passed, and what is left to Triton."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from kernels.binaries.container import (
    MAGIC,
    Contents,
    Entry,
    make_entry,
    pack,
    read,
    unpack,
)
from kernels.binaries.identity import identity
from kernels.binaries.loader import Binaries, runs_on
from kernels.binaries.tensor_map import TensorMap, encode
from kernels.binaries.values import values
from kernels.compile import compile_launch
from kernels.configurations import layer_launch
from kernels.inspect.traces import reduced
from kernels.launch import Launch, launching_with

HERE = Path(__file__).parent
ENTRIES = (
    Entry("b" * 64, 90, {"kernel": "k", "parameters": ["pointer"]}, b"\x7fELF" * 9, b"// ptx"),
    Entry("a" * 64, 80, {"kernel": "k", "parameters": ["integer"]}, b"cubin of a", b"other ptx"),
)
ABOUT = {"artifact": "x.gen", "batch": 1024}


@triton.jit(do_not_specialize=["count"])
def double_kernel(x_ptr, out_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < count)
    tl.store(out_ptr + offsets, 2 * x, mask=offsets < count)


def double(size: int = 64, block: int = 32) -> Launch:
    x, out = torch.zeros(size), torch.zeros(size)
    return Launch(
        "double",
        double_kernel,
        (triton.cdiv(size, block), 1, 1),
        {"x_ptr": x, "out_ptr": out, "count": size},
        {"BLOCK": block},
    )


def test_a_file_gives_back_what_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "x.kernels"
    path.write_bytes(pack(ENTRIES, ABOUT))
    contents = read(path)
    assert contents.about == ABOUT
    assert contents.entries == tuple(sorted(ENTRIES, key=lambda entry: entry.identity))
    assert contents.architectures == (80, 90)


def test_the_same_entries_make_the_same_file() -> None:
    assert pack(ENTRIES, ABOUT) == pack(tuple(reversed(ENTRIES)), dict(ABOUT))


def test_any_flipped_byte_is_refused() -> None:
    data = pack(ENTRIES, ABOUT)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x40
        with pytest.raises(ValueError, match=r"damaged|not a \.kernels|version"):
            unpack(bytes(changed))


@pytest.mark.parametrize("size", [0, 4, 8, 30, 60, 200])
def test_a_file_cut_short_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "short.kernels"
    path.write_bytes(pack(ENTRIES, ABOUT)[:size])
    with pytest.raises(ValueError, match="short.kernels"):
        read(path)


def test_another_version_is_refused_with_the_remedy() -> None:
    data = bytearray(pack(ENTRIES, ABOUT))
    data[len(MAGIC)] = 7
    with pytest.raises(ValueError, match=r"version 7.*export\.kernels"):
        unpack(bytes(data))


def test_launches_of_the_same_code_share_an_identity() -> None:
    one, other_size = double(64), double(96)
    assert identity(one) == identity(other_size)
    assert identity(one) != identity(double(64, block=64))
    assert identity(one) != identity(replace(one, num_warps=8))
    halves = {**one.arguments, "x_ptr": torch.zeros(64, dtype=torch.float16)}
    assert identity(one) != identity(replace(one, arguments=halves))


@pytest.mark.parametrize("architecture", [80, 90, 120])
def test_an_entry_is_held_against_the_binarys_own_records(architecture: int) -> None:
    compiled = compile_launch(double(), architecture, line_info=False)
    entry = make_entry(compiled)
    assert entry.architecture == architecture
    assert entry.identity == identity(double())
    assert entry.record["kernel"] == "double_kernel"
    assert entry.record["parameters"] == ["pointer"] * 2 + ["integer"] + ["scratch"] * 2
    assert entry.record["recipe"]["constants"] == {"BLOCK": 32}
    assert b".entry double_kernel" in entry.ptx
    with pytest.raises(ValueError, match="calls its kernel"):
        make_entry(replace(compiled, name="another"))
    other = replace(double(), arguments={"x_ptr": 1, "out_ptr": 2, "count": 3})
    with pytest.raises(ValueError, match="takes parameters"):
        make_entry(replace(compiled, launch=other))


def test_values_lie_in_the_order_of_the_parameters() -> None:
    launch = double()
    passed = values(launch, (), no_maps, scratch=0x4000)
    addresses = (ctypes.c_void_p * 5).from_address(passed.address)
    words = [ctypes.c_uint64.from_address(addresses[i] or 0).value for i in (0, 1, 3, 4)]
    x, out = launch.arguments["x_ptr"], launch.arguments["out_ptr"]
    assert words == [x.data_ptr(), out.data_ptr(), 0x4000, 0]
    assert ctypes.c_int32.from_address(addresses[2] or 0).value == 64


def test_a_misaligned_tensor_is_refused() -> None:
    launch = double()
    shifted = {**launch.arguments, "x_ptr": torch.zeros(65)[1:]}
    with pytest.raises(ValueError, match="x_ptr begins at"):
        values(replace(launch, arguments=shifted), (), no_maps)


class FakeEncoder:
    """Keeps what cuTensorMapEncodeTiled was called with."""

    def __init__(self, status: int = 0) -> None:
        self.status, self.called = status, ()

    def cuTensorMapEncodeTiled(self, *arguments: Any) -> int:  # noqa: N802  the driver's name
        self.called = tuple(
            list(each) if isinstance(each, ctypes.Array) else each.value for each in arguments
        )
        return self.status


RECORD = {"swizzle": 3, "elem_size": 2, "elem_type": 6, "block_size": [64, 32]}


def test_a_tensor_map_is_innermost_first_and_aligned() -> None:
    driver = FakeEncoder()
    made = encode(driver, RECORD, 0x1000, (256, 64), (64, 1))
    assert made.address % 64 == 0
    assert len(made.data) == 128
    assert driver.called == (
        *(made.address, 6, 2, 0x1000, [64, 256], [128], [32, 64], [1, 1]),
        *(0, 3, 2, 0),
    )


def test_a_refused_tensor_map_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="error 1"):
        encode(FakeEncoder(1), RECORD, 0x1000, (256, 64), (64, 1))


def test_a_design_on_tensor_maps_is_packed_and_passed() -> None:
    launch = layer_launch(reduced(90)["descriptors"], "cpu")
    entry = make_entry(compile_launch(launch, 90, line_info=False))
    (again,) = unpack(pack([entry], {})).entries
    records = again.record["descriptors"]
    maps = [name for name, kind in launch.signature().items() if kind.startswith("tensordesc")]
    assert len(records) == len(maps) == entry.record["parameters"].count("tensor_map") >= 2
    encoder, addresses = FakeEncoder(), list[int]()

    def note(record: Any, address: int, shape: Any, strides: Any) -> TensorMap:
        made = encode(encoder, record, address, shape, strides)
        addresses.append(encoder.called[3])
        assert encoder.called[6] == list(reversed(record["block_size"]))
        return made

    values(launch, records, note)
    assert addresses == [launch.arguments[name].base.data_ptr() for name in maps]


def no_maps(record: Any, address: int, shape: Sequence[int], strides: Sequence[int]) -> TensorMap:
    raise AssertionError("there is no descriptor among the arguments")


class FakeDriver:
    """Launches nothing, and says what it was asked."""

    def __init__(self, architecture: int, refuses: bool = False) -> None:
        self.architecture, self.refuses, self.called = architecture, refuses, list[Any]()

    def make_current(self) -> None:
        pass

    def load(self, binary: bytes, name: str, shared_bytes: int) -> tuple[str, str]:
        if self.refuses:
            raise RuntimeError("no room")
        self.called.append(("load", name, shared_bytes))
        return "module", "function"

    def launch(self, function: str, grid: Any, threads: int, shared: int, *rest: int) -> None:
        self.called.append(("launch", function, grid, threads, shared, rest[0]))

    def allocate(self, size: int) -> int:
        self.called.append(("allocate", size))
        return 0x4000

    def free(self, address: int) -> None:
        self.called.append(("free", address))

    def unload(self, module: str) -> None:
        self.called.append(("unload", module))


def contents(architecture: int, scratch_bytes: int = 0) -> Contents:
    record = {
        "kernel": "double_kernel",
        "num_warps": 4,
        "shared_bytes": 512,
        "scratch_bytes": scratch_bytes,
        "descriptors": [],
    }
    return Contents({}, (Entry(identity(double()), architecture, record, b"cubin", b"ptx"),))


def test_a_launch_runs_through_its_binary_and_is_loaded_once() -> None:
    driver: Any = FakeDriver(90)
    with Binaries(contents(90), driver, lambda: 7) as binaries, launching_with(binaries.run):
        double(64).run()
        double(96).run()
    assert binaries.reasons == ()
    assert driver.called == [
        ("load", "double_kernel", 512),
        ("launch", "function", (2, 1, 1), 128, 512, 7),
        ("launch", "function", (3, 1, 1), 128, 512, 7),
        ("unload", "module"),
    ]


def test_scratch_memory_grows_with_the_grid_and_is_given_back() -> None:
    driver: Any = FakeDriver(90)
    with Binaries(contents(90, 128), driver) as binaries:
        assert all(binaries.run(double(size)) for size in (64, 32, 96))
    calls = [call for call in driver.called if call[0] in ("allocate", "free")]
    assert calls == [("allocate", 256), ("free", 0x4000), ("allocate", 384), ("free", 0x4000)]


def test_another_gpu_is_left_to_the_compiler_with_the_reason() -> None:
    driver: Any = FakeDriver(100)
    binaries = Binaries(contents(90), driver)
    assert not binaries.run(double())
    (reason,) = binaries.reasons
    assert "the GPU is sm_100, the binaries are for sm_90" in reason
    assert driver.called == []


def test_binaries_of_other_kernels_are_left_to_the_compiler_with_the_reason() -> None:
    driver: Any = FakeDriver(90)
    binaries = Binaries(replace(contents(90), about={"sources": "another"}), driver)
    assert not binaries.run(double())
    (reason,) = binaries.reasons
    assert "other kernels than this package has" in reason


def test_another_shape_is_left_to_the_compiler_with_the_reason() -> None:
    driver: Any = FakeDriver(90)
    binaries = Binaries(contents(90), driver)
    assert not binaries.run(double(64, block=16))
    assert not binaries.run(double(64, block=16))
    assert binaries.reasons == ("double: no binary was made for this shape and type",)


def test_a_binary_that_does_not_load_is_left_to_the_compiler_with_the_reason() -> None:
    driver: Any = FakeDriver(90, refuses=True)
    binaries = Binaries(contents(90), driver)
    assert not binaries.run(double())
    assert binaries.reasons == ("double: its binary cannot be loaded: no room",)


@pytest.mark.parametrize(
    ("binary", "gpu", "expected"),
    [
        *((80, 80, True), (80, 86, True), (80, 89, True), (86, 80, False), (80, 90, False)),
        *((90, 90, True), (90, 100, False), (100, 103, False), (120, 121, False)),
    ],
)
def test_binaries_run_where_cuda_says(binary: int, gpu: int, expected: bool) -> None:
    assert runs_on(binary, gpu) is expected


def test_the_loader_needs_neither_triton_nor_torch() -> None:
    code = (
        "import sys, kernels.binaries.loader, kernels.binaries.driver;"
        "print([name for name in ('triton', 'torch', 'cuda') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_driver_is_one_sentence() -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
    code = (
        "from kernels.binaries.driver import Driver\n"
        "try: Driver()\n"
        "except RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if not done.stdout:
        pytest.skip("there is a CUDA driver here")
    assert done.stdout.startswith("no CUDA driver: ")


STUBBED = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from kernels.binaries.loader import Binaries
from kernels.launch import Launch, launching_with
from stubbed import launch
with Binaries.open(sys.argv[1], stream=lambda: 0x99) as binaries, launching_with(binaries.run):
    one = launch()
    print(*(hex(each.data_ptr())[2:] for each in one.arguments.values() if hasattr(each, "device")))
    sys.stdout.flush()
    assert binaries.run(one), binaries.reasons
"""

STUBBED_KERNEL = """
import torch, triton, triton.language as tl
from kernels.launch import Launch

@triton.jit(do_not_specialize=["count"])
def stub_kernel(x_ptr, out_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < count)
    tl.store(out_ptr + offsets, 2 * x, mask=offsets < count)

def launch():
    arguments = {"x_ptr": torch.zeros(100), "out_ptr": torch.zeros(100), "count": 100}
    return Launch("stub", stub_kernel, (4, 1, 1), arguments, {"BLOCK": 32})
"""


def test_cuda_bindings_pass_every_value_to_the_driver(tmp_path: Path) -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the stub driver")
    library = tmp_path / "libcuda.so.1"
    source = HERE / "stub_driver.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    (tmp_path / "stubbed.py").write_text(STUBBED_KERNEL)
    pack_it = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from stubbed import launch\n"
        "from kernels.compile import compile_launch\n"
        "from kernels.binaries.container import make_entry, pack\n"
        "entry = make_entry(compile_launch(launch(), 90, line_info=False))\n"
        "Path(sys.argv[1]).write_bytes(pack([entry], {}))\n"
    )
    arguments = [str(tmp_path / "x.kernels"), str(tmp_path)]
    subprocess.run([sys.executable, "-c", pack_it, *arguments], check=True)
    stub = {"STUB_ARCHITECTURE": "90", "STUB_PARAMETERS": "8,8,4,8,8"}
    done = subprocess.run(
        [sys.executable, "-c", STUBBED, *arguments],
        env={**os.environ, **stub, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    x_and_out, *calls = done.stdout.splitlines()
    assert calls == [
        "load 1",
        "function stub_kernel",
        f"launch 4 1 1, 128 1 1, 0 bytes, stream 99: {x_and_out} 64 0 0",
        "unload",
    ]
