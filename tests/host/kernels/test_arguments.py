"""Checks and arguments that launchers share."""

from __future__ import annotations

import pytest
import torch

from kernels.arguments import aligned, check_device, random_arguments, row_ranges


@pytest.mark.parametrize(
    ("count", "widths"),
    [(0, (7,)), (5, (3,)), (2**20, (4096,)), (2**22, (1000, 24)), (10**6, (2**20 + 1,))],
    ids=["empty", "small", "2^32", "two widths", "odd width"],
)
def test_row_ranges(count: int, widths: tuple[int, ...]) -> None:
    ranges = row_ranges(count, *widths)
    assert [row for first, last in ranges for row in (first, last)] == sorted(
        row for first, last in ranges for row in (first, last)
    )
    assert sum(last - first for first, last in ranges) == count
    for first, last in ranges:
        for width in widths:
            assert (last - first) * width < 2**31
            # 16 elements are 16 bytes or more in every type.
            assert first * width % 16 == 0


def test_rows_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(ValueError, match="must stay below 2\\^31"):
        row_ranges(16, 2**30 + 1)


def test_numbers_travel_as_two_words() -> None:
    found = random_arguments(0xFEDCBA9876543210, 2**32 + 5, 0x304)
    assert found == {
        "seed_low": 0x76543210,
        "seed_high": 0xFEDCBA98 - 2**32,
        "start_low": 5,
        "start_high": 1,
        "stream": 0x304,
    }


def test_aligned_copies_only_where_it_must() -> None:
    tensor = torch.zeros(8, 8)
    assert aligned(tensor) is tensor
    for view in (tensor.t()[:, 1:], tensor.flatten()[1:]):
        copy = aligned(view)
        assert copy.is_contiguous()
        assert copy.data_ptr() % 16 == 0
        assert torch.equal(copy, view)


def test_a_cpu_tensor_needs_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.arguments.takes_any_device", lambda: False)
    with pytest.raises(ValueError, match="tensors are on cpu; Triton kernels need a GPU"):
        check_device(torch.zeros(1))
    with pytest.raises(ValueError, match="different devices: cpu, meta"):
        check_device(torch.zeros(1), torch.zeros(1, device="meta"))
