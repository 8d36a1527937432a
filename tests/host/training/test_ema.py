from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.core.errors import OptionError
from training.ema import EMA


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_average_follows_the_formula_for_weights_and_running_statistics():
    module, decay = network(), 0.2
    ema = EMA(module, decay)
    expected = {name: value.clone() for name, value in module.state_dict().items()}
    for step in range(5):
        module(torch.randn(8, 3) * 3 + 1)
        with torch.no_grad():
            module[0].weight.add_(torch.randn(4, 3))
        ema.update(module, step)
        used = min(decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                expected[name] = used * expected[name] + (1 - used) * value
            else:
                expected[name] = value.clone()
    for name, value in ema.average.state_dict().items():
        torch.testing.assert_close(value, expected[name])


def test_running_statistics_leave_their_initial_values():
    module = network()
    ema = EMA(module, 0.5)
    for step in range(20):
        module(torch.randn(16, 3) + 5)
        ema.update(module, step)
    assert ema.average[1].running_mean.abs().min() > 0.1
    assert int(ema.average[1].num_batches_tracked) == 20


def test_the_average_is_in_eval_mode_without_gradients():
    ema = EMA(network(), 0.9)
    assert not ema.average.training
    assert not any(parameter.requires_grad for parameter in ema.average.parameters())


def test_updating_leaves_the_module_alone():
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    ema = EMA(module, 0.9)
    ema.update(module, 0)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_impossible_decay_is_refused(decay):
    with pytest.raises(OptionError, match="ema-decay"):
        EMA(network(), decay)
