"""Fused LSTM and GRU steps in the interpreter: values, state, packing, and what is refused."""

from __future__ import annotations

import pytest
import torch

from kernels.recurrent import choose_tile, gru_step, launches, lstm_step
from kernels.recurrent_packing import PackedCell, pack
from tests.cases.recurrent import CASES, make_cell


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case = CASES[name]()
    case.run()
    assert case.wrong() == {}


def test_ten_steps_of_an_lstm() -> None:
    """The carry is updated in place; errors do not build up."""
    packed, cell = make_cell("lstm", 6, 9, torch.float32)
    x = torch.randn(10, 4, 6)
    h, c = torch.zeros(4, 9), torch.zeros(4, 9)
    expected = (h.double(), c.double())
    for step in range(10):
        h, c_out = lstm_step(packed, x[step], h, c, c_out=c)
        assert c_out is c
        with torch.no_grad():
            expected = cell(x[step].double(), expected)
    torch.testing.assert_close(h.double(), expected[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(c.double(), expected[1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_order_of_onnx(kind: str) -> None:
    """Gates in ONNX's order, packed, are those in PyTorch's."""
    gates = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}[kind]
    packed, cell = make_cell(kind, 5, 7, torch.float32)
    moved = [
        torch.cat([parameter.detach().chunk(len(gates))[gate] for gate in gates])
        for parameter in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    ]
    again = pack(kind, *moved, dtype=torch.float32, order="onnx")
    assert torch.equal(again.weight, packed.weight)
    assert torch.equal(again.bias, packed.bias)


def test_no_bias_is_zeros() -> None:
    weights = torch.randn(9, 5), torch.randn(9, 3)
    zeros = torch.zeros(9), torch.zeros(9)
    packed = pack("gru", *weights, dtype=torch.float32)
    assert torch.equal(packed.bias, pack("gru", *weights, *zeros, dtype=torch.float32).bias)


def test_empty_batch() -> None:
    packed, _ = make_cell("lstm", 3, 5, torch.float32)
    h, c = lstm_step(packed, torch.empty(0, 3), torch.empty(0, 5), torch.empty(0, 5))
    assert h.shape == c.shape == (0, 5)


def test_nan_stays_in_its_sample() -> None:
    packed, _ = make_cell("gru", 4, 6, torch.float32)
    x, h = torch.randn(3, 4), torch.randn(3, 6)
    clean = gru_step(packed, x, h)
    x[1, 2] = float("nan")
    out = gru_step(packed, x, h)
    assert out[1].isnan().all()
    assert torch.equal(out[[0, 2]], clean[[0, 2]])


def test_inputs_that_are_not_contiguous_are_copied() -> None:
    packed, _ = make_cell("gru", 4, 6, torch.float32)
    x, h = torch.randn(4, 3).t(), torch.randn(6, 3).t()
    assert torch.equal(gru_step(packed, x, h), gru_step(packed, x.contiguous(), h.contiguous()))


def test_batch_beyond_32_bit_offsets_is_split() -> None:
    packed, _ = make_cell("lstm", 5, 512, torch.float16)
    batch = 2**22 + 3
    x, h, h_out, c = (
        torch.empty(batch, width, dtype=dtype, device="meta")
        for width, dtype in ((5, torch.float16), *[(512, torch.float16)] * 2, (512, torch.float32))
    )
    parts = launches(packed, x, h, h_out, c, c)
    assert len(parts) == 2
    assert sum(part.arguments["batch"] for part in parts) == batch
    for part in parts:
        assert part.arguments["h_ptr"].numel() < 2**31
        for name in ("x_ptr", "h_ptr", "h_out_ptr", "state_ptr", "c_out_ptr"):
            tensor = part.arguments[name]
            assert tensor.storage_offset() * tensor.itemsize % 16 == 0


def test_tile_by_batch() -> None:
    rows = [choose_tile(torch.float16, batch).rows for batch in (1, 16, 17, 64, 65, 5000)]
    assert rows == [16, 16, 64, 64, 128, 128]


def step(packed: PackedCell, **changes: torch.Tensor | None) -> None:
    tensors = {"x": torch.zeros(2, 3), "h": torch.zeros(2, 4), "c": torch.zeros(2, 4)} | changes
    lstm_step(packed, **tensors)


def test_states_may_be_neighbours_in_one_memory() -> None:
    packed, _ = make_cell("gru", 4, 4, torch.float32)
    arena = torch.randn(3, 4, 4)
    expected = gru_step(packed, arena[0], arena[1])
    gru_step(packed, arena[0], arena[1], arena[2])
    assert torch.equal(arena[2], expected)


SHARED = torch.zeros(2, 4)
WIDE = torch.zeros(4, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(2, 5)}, r"x is \(2, 5\)"),
        ({"x": torch.zeros(3)}, r"x is \(3,\)"),
        ({"h": torch.zeros(3, 4)}, r"h is \(3, 4\)"),
        ({"h": torch.zeros(2, 4).half()}, "float16; it must be"),
        ({"c": torch.zeros(2, 4).half()}, "c is .* torch.float16; it must be .* torch.float32"),
        ({"c_out": torch.zeros(4, 2).t()}, "c_out must be contiguous"),
        ({"h": SHARED, "h_out": SHARED}, "h_out must not share memory"),
        ({"h_out": SHARED, "c_out": SHARED}, "h_out must not share memory"),
        ({"h": SHARED, "c_out": SHARED}, "c_out must not share memory"),
        ({"c": WIDE[:2], "c_out": WIDE[1:3]}, "c_out must not share memory"),
        ({"x": torch.zeros(2, 3, device="meta")}, "different devices"),
    ],
    ids=[
        "features",
        "flat",
        "batch",
        "dtype",
        "carry",
        "output",
        "in place",
        "both outputs",
        "carry over h",
        "carry shifted",
        "devices",
    ],
)
def test_refused(changes: dict[str, torch.Tensor], message: str) -> None:
    packed, _ = make_cell("lstm", 3, 4, torch.float32)
    with pytest.raises(ValueError, match=message):
        step(packed, **changes)


def test_the_input_of_a_stacked_cell_is_not_its_output() -> None:
    packed, _ = make_cell("gru", 4, 4, torch.float32)
    x = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="h_out must not share memory"):
        gru_step(packed, x, torch.zeros(2, 4), x)


def test_weights_beyond_32_bit_offsets_are_refused() -> None:
    wide = torch.empty(4 * 32768, 1, device="meta"), torch.empty(4 * 32768, 32768, device="meta")
    with pytest.raises(ValueError, match="hidden=32768 are too many"):
        pack("lstm", *wide, dtype=torch.float16)


def test_the_other_cell_is_refused() -> None:
    packed, _ = make_cell("gru", 3, 4, torch.float32)
    with pytest.raises(ValueError, match="the packed cell is a gru"):
        step(packed)
    packed, _ = make_cell("lstm", 3, 4, torch.float32)
    with pytest.raises(ValueError, match="the packed cell is a lstm"):
        gru_step(packed, torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rnn"}, "'rnn' in 'torch'"),
        ({"order": "keras"}, "lstm in onnx's order"),
        ({"dtype": torch.float64}, "float64"),
        ({"weight_ih": torch.zeros(12, 3)}, r"weight_ih \(12, 3\) of a lstm must be \(16, 3\)"),
        ({"bias_hh": torch.zeros(4)}, r"bias_hh \(4,\)"),
        ({"weight_ih": torch.zeros(16, 0)}, "features=0"),
    ],
    ids=["kind", "order", "dtype", "gates", "bias", "no features"],
)
def test_packing_refused(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "kind": "lstm",
        "weight_ih": torch.zeros(16, 3),
        "weight_hh": torch.zeros(16, 4),
        "dtype": torch.float32,
    }
    with pytest.raises(ValueError, match=message):
        pack(**arguments | changes)
