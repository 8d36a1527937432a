"""What reading a checkpoint gives, and the checks that every way of reading one shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import ArtifactError, NumericalError
from engine.core.spec import GeneratorSpec
from engine.models.plain import with_batch_norms, with_plain_weights
from engine.models.readable import refuse_unreadable, refuse_whole_numbers

_NAMED = 4


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator in memory: its spec and its graphs, in eval mode on the CPU.

    arch and arch_args rebuild it (`engine.models.create`, or "chain" for a recognised network);
    assumptions are lines for the user about what the file did not say.
    """

    spec: GeneratorSpec
    entry_points: dict[str, nn.Module]
    arch: str
    arch_args: Mapping[str, Any]
    assumptions: tuple[str, ...] = field(default=())


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy weights into module, strictly. Raises ArtifactError naming the keys that do not fit.

    Raises NumericalError if a tensor holds NaN or infinity.
    """
    refuse_unreadable(weights, path)
    check_finite(weights, path)
    wanted = module.state_dict()
    # Running statistics were saved without this counter before PyTorch 0.4.1; eval never reads it.
    missing = [
        key for key in wanted if key not in weights and not key.endswith("num_batches_tracked")
    ]
    unexpected = [key for key in weights if key not in wanted]
    if missing or unexpected:
        parts = [
            f"{kind} {_some(keys)}"
            for kind, keys in (("lacks", missing), ("has no place for", unexpected))
            if keys
        ]
        raise ArtifactError(f"{path}: the weights do not fit the network, which {_sides(parts)}")
    for key, tensor in weights.items():
        if tensor.shape != wanted[key].shape:
            raise ArtifactError(
                f"{path}: {key!r} has shape {tuple(tensor.shape)}, the network needs "
                f"{tuple(wanted[key].shape)}; check the arguments of the network"
            )
    floats = {key: weights[key] for key in weights if wanted[key].is_floating_point()}
    refuse_whole_numbers(floats, path)
    module.load_state_dict(dict(weights), strict=False)


def check_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise NumericalError naming the first tensor with NaN or infinity."""
    for key, tensor in weights.items():
        # Types of one byte cannot be asked.
        values = tensor.float() if tensor.element_size() == 1 else tensor
        if tensor.is_floating_point() and not bool(torch.isfinite(values).all()):
            bad = int((~torch.isfinite(values)).sum())
            raise NumericalError(
                f"{path}: {key!r} holds {bad} NaN or infinite values of {tensor.numel()}; "
                "the training diverged: take an earlier checkpoint"
            )


def ready(modules: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """The modules in float32 and eval mode, without gradients and reparametrised weights."""
    return {
        name: with_batch_norms(with_plain_weights(module.float().eval())).requires_grad_(
            requires_grad=False
        )
        for name, module in modules.items()
    }


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    shown = ", ".join(repr(key) for key in keys[:_NAMED])
    return shown if len(keys) <= _NAMED else f"{shown} and {len(keys) - _NAMED} more"


def _sides(parts: Iterable[str]) -> str:
    return " and ".join(parts)
