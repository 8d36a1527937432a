"""Assumptions about a recognised network, held against the running statistics of its batch norms.

In training each norm recorded mean and variance of what reached it. A network that is read rightly
gives the same statistics again for latents of the right distribution; a wrong activation, stride,
eps or order of the condition does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import ArtifactError
from engine.core.recognition.recognise import Recognised
from engine.core.spec import Noise
from engine.models.chain import ChainGenerator
from engine.models.infer import probe
from engine.models.loaded import check_finite, load_weights

# Norms behind linear layers see one value a sample, and need many; large images would take long.
_FEWEST, _MOST = 4, 256
_VALUES = 400_000
# Another reading must explain the statistics clearly better than the usual one.
_BETTER = 0.5
_ENOUGH = 0.0005
# A wrong stride or eps costs tenths; with less than this there is no need to try others.
_SETTLED = 0.02
# A geometry that makes samples so much larger is not worth the time and memory of a trial.
_LARGER = 8
_COARSE = ("batch_norm_eps", "geometry")
# Networks read rightly gave 2e-4 to 0.012 (sampling noise, drift of momentum averages); one layer
# of several read wrongly gave 0.09 to 0.19.
_AGREES = 0.04

Reading = Callable[[Mapping[str, Any]], Recognised]


def settle(reading: Reading, path: Path) -> tuple[Recognised, str]:
    """The reading that the statistics support, and a line for the user about the evidence.

    reading: gives the network under overrides of its settings; the usual ones for none.
    """
    found = reading({})
    best = deviation(found, path)
    if best is None:
        return found, (
            "checked: nothing, there are no batch norms with statistics of training; "
            "look at samples"
        )
    overrides: dict[str, Any] = {}
    usual = math.prod(found.output)
    # A wrong activation can hide a wrong eps: go on until nothing improves. The best change of a
    # round counts, because a wrong one can help a little too.
    while True:
        trials = [
            (patch, *_try(reading, {**overrides, **patch}, usual, path))
            for subject, patches in found.alternatives.items()
            if not (subject in _COARSE and best < _SETTLED)
            for patch in patches
        ]
        patch, other, value = min(trials, key=lambda trial: trial[2], default=({}, None, math.inf))
        if other is None or value >= min(_BETTER * best, best - _ENOUGH):
            break
        found, best, overrides = other, value, {**overrides, **patch}
    if best <= _AGREES:
        return found, f"checked: running statistics of the batch norms agree (deviation {best:.2g})"
    return found, (
        f"checked: running statistics of the batch norms DISAGREE (deviation {best:.2g}); the "
        "network differs from what was assumed: correct it with --arch-args, or name it with "
        "--arch module:factory; look at samples"
    )


def _try(
    reading: Reading, overrides: Mapping[str, Any], usual: int, path: Path
) -> tuple[Recognised | None, float]:
    try:
        found = reading(overrides)
        if math.prod(found.output) > _LARGER * usual:
            return None, math.inf
    # Not every combination gives a network.
    except ArtifactError:
        return None, math.inf
    value = deviation(found, path)
    return found, math.inf if value is None else value


def build_recognised(found: Recognised, path: Path) -> ChainGenerator:
    """The chain of a recognised network, with its weights. Raises NumericalError for NaN."""
    module = ChainGenerator(**found.arguments)
    weights = {key: torch.from_numpy(array) for key, array in found.weights.items()}
    # The user knows the keys of the file, not those of the chain.
    check_finite({found.key_map[key]: tensor for key, tensor in weights.items()}, path)
    load_weights(module, weights, path)
    return module.eval()


def deviation(found: Recognised, path: Path) -> float | None:
    """Mean distance of a network's statistics from the recorded ones, None without any recorded.

    The distance of one channel is the Kullback-Leibler divergence of two normal distributions.
    """
    module = build_recognised(found, path)
    norms = [part for part in module.decoder.modules() if _is_trained(part)]
    if not norms:
        return None
    distances: list[Tensor] = []
    for norm in norms:
        norm.register_forward_pre_hook(
            lambda layer, inputs: distances.append(
                _distance(layer.running_mean, layer.running_var, inputs[0], found.dropout)
            )
        )
    uniform = found.settings.latent_distribution == "uniform"
    latent = Noise((module.latent_size,), "uniform" if uniform else "normal")
    with torch.inference_mode():
        samples = max(_FEWEST, min(_MOST, _VALUES // math.prod(found.output)))
        module(*probe(latent, module.classes, samples))
    return float(torch.stack(distances).mean())


def _is_trained(part: nn.Module) -> bool:
    if not isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
        return False
    mean, variance = part.running_mean, part.running_var
    if mean is None or variance is None:
        return False
    return not bool((mean == 0).all() and (variance == 1).all())


def _distance(running_mean: Tensor, running_var: Tensor, x: Tensor, dropout: bool) -> Tensor:
    """Mean over channels of KL(N(mean, variance of x) || N(running mean, running variance)).

    With dropout the variances are left out: it changes them in training, but not the means.
    """
    flat = x.transpose(0, 1).flatten(1).double()
    variance = running_var.double() + 1e-8
    ratio = flat.var(1, correction=0) / variance + 1e-12
    shift = (flat.mean(1) - running_mean.double()).square() / variance
    # One dead channel must not decide for all others.
    spread = torch.zeros_like(ratio) if dropout else ratio - 1 - ratio.log()
    return (0.5 * (shift + spread)).clamp(max=10.0).mean()
