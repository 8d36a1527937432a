"""LSTM and GRU against torch.nn in float64, whose gates stand in another order."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.recurrent import Weights, gru_step, lstm_step, sequence

torch = pytest.importorskip("torch")

# torch's gates in ONNX's order: LSTM i f g o -> i o f c, GRU r z n -> z r h.
ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}
FEATURES, HIDDEN, TIME, BATCH = 3, 5, 6, 4


def make(cell: str) -> tuple[torch.nn.Module, Weights]:
    torch.manual_seed(5)
    module = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](FEATURES, HIDDEN, batch_first=True)
    module = module.double()

    def onnx(tensor: torch.Tensor) -> np.ndarray:
        gates = tensor.detach().numpy().reshape(len(ORDER[cell]), HIDDEN, *tensor.shape[1:])
        return gates[list(ORDER[cell])].reshape(tensor.shape).T

    return module, Weights(
        cell,
        onnx(module.weight_ih_l0),
        onnx(module.weight_hh_l0),
        onnx(module.bias_ih_l0),
        onnx(module.bias_hh_l0),
    )


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def close(ours: np.ndarray, torchs: torch.Tensor) -> None:
    np.testing.assert_allclose(ours, torchs.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_lstm_sequence() -> None:
    module, weights = make("lstm")
    x, h, c = doubles(BATCH, TIME, FEATURES), doubles(BATCH, HIDDEN), doubles(BATCH, HIDDEN)
    expected, (last_h, last_c) = module(x, (h[None], c[None]))
    states, ours_h, ours_c = sequence(x, weights, h, c)
    close(states, expected)
    close(ours_h, last_h[0])
    close(ours_c, last_c[0])


def test_gru_sequence() -> None:
    module, weights = make("gru")
    x, h = doubles(BATCH, TIME, FEATURES), doubles(BATCH, HIDDEN)
    expected, last = module(x, h[None])
    states, ours, none = sequence(x, weights, h)
    close(states, expected)
    close(ours, last[0])
    assert none is None


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_no_states_are_zeros(cell: str) -> None:
    module, weights = make(cell)
    x = doubles(BATCH, TIME, FEATURES)
    close(sequence(x, weights)[0], module(x)[0])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_reverse(cell: str) -> None:
    module, weights = make(cell)
    x = doubles(BATCH, TIME, FEATURES)
    states, last, _ = sequence(x, weights, reverse=True)
    close(states, module(x.flip(1))[0].flip(1))
    np.testing.assert_array_equal(last, states[:, 0])


def test_steps() -> None:
    lstm, weights = make("lstm")
    x, h, c = doubles(BATCH, 1, FEATURES), doubles(BATCH, HIDDEN), doubles(BATCH, HIDDEN)
    _, (last_h, last_c) = lstm(x, (h[None], c[None]))
    ours = lstm_step(x[:, 0], h, c, weights)
    close(ours[0], last_h[0])
    close(ours[1], last_c[0])
    gru, weights = make("gru")
    close(gru_step(x[:, 0], h, weights), gru(x, h[None])[1][0])


def test_gru_that_resets_before_the_product() -> None:
    """ONNX's default, by its own formula for one sample."""
    _, weights = make("gru")
    x, h = doubles(FEATURES).numpy(), doubles(HIDDEN).numpy()

    def part(gate: int, state: np.ndarray) -> np.ndarray:
        cut = slice(gate * HIDDEN, (gate + 1) * HIDDEN)
        inner = x @ weights.weight[:, cut] + weights.bias[cut]
        return inner + state @ weights.recurrent[:, cut] + weights.recurrent_bias[cut]

    z, r = (1 / (1 + np.exp(-part(gate, h))) for gate in (0, 1))
    expected = (1 - z) * np.tanh(part(2, r * h)) + z * h
    ours = gru_step(x[None], h[None], weights, linear_before_reset=False)[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert np.abs(ours - gru_step(x[None], h[None], weights)[0]).max() > 1e-3


def test_empty_batch_and_no_time() -> None:
    _, weights = make("lstm")
    assert sequence(np.empty((0, TIME, FEATURES)), weights)[0].shape == (0, TIME, HIDDEN)
    states, h, _ = sequence(np.empty((2, 0, FEATURES)), weights)
    assert states.shape == (2, 0, HIDDEN)
    np.testing.assert_array_equal(h, np.zeros((2, HIDDEN)))


def test_refused() -> None:
    _, weights = make("gru")
    with pytest.raises(ValueError, match=r"x \(2, 6, 4\)"):
        sequence(np.ones((2, TIME, 4)), weights)
    with pytest.raises(ValueError, match=r"h \(1, 5\) must be \(2, 5\)"):
        sequence(np.ones((2, TIME, FEATURES)), weights, np.ones((1, HIDDEN)))
    with pytest.raises(ValueError, match="cell 'rnn'"):
        Weights("rnn", np.ones((3, 5)), np.ones((5, 5)), np.ones(5), np.ones(5))
    with pytest.raises(ValueError, match=r"recurrent \(5, 20\) of a gru"):
        Weights("gru", np.ones((3, 15)), np.ones((5, 20)), np.ones(15), np.ones(15))
    with pytest.raises(ValueError, match=r"bias \(10,\)"):
        Weights("gru", np.ones((3, 15)), np.ones((5, 15)), np.ones(10), np.ones(15))
