"""Moving averages without names: torch_ema keeps a list in the order of `module.parameters()`.

github.com/fadel/pytorch_ema: `{"decay", "num_updates", "shadow_params": [tensor, ...]}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_KEY = "shadow_params"
# State dicts hold these beside the parameters.
_BUFFERS = frozenset(
    {"running_mean", "running_var", "num_batches_tracked", "weight_u", "weight_v", "0._u", "0._v"}
)


def with_listed_average(
    values: Any, tensors: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors with a listed average laid over their parameters, and lines for the user.

    Only a list of as many tensors of the same shapes is used; of others it is said that they were
    not.
    """
    notes: tuple[str, ...] = ()
    parameters = [key for key in tensors if not _is_buffer(key)]
    shapes = [tuple(tensors[key].shape) for key in parameters]
    for path, listed in _lists(values, ""):
        if [tuple(tensor.shape) for tensor in listed] == shapes:
            note = f"weights: the moving average {path!r} was laid over the parameters, in order"
            averages = dict(zip(parameters, listed, strict=True))
            return {key: averages.get(key, tensor) for key, tensor in tensors.items()}, (note,)
        notes += (
            f"weights: the moving average {path!r} was not used, its {len(listed)} tensors do not "
            f"fit the {len(parameters)} parameters",
        )
    return dict(tensors), notes


def _is_buffer(key: str) -> bool:
    return any(key == leaf or key.endswith(f".{leaf}") for leaf in _BUFFERS)


def _lists(values: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    if not isinstance(values, Mapping):
        return
    for key, value in values.items():
        inner = f"{path}.{key}" if path else str(key)
        if key == _KEY and isinstance(value, (list, tuple)):
            if value and all(hasattr(tensor, "shape") for tensor in value):
                yield inner, list(value)
        else:
            yield from _lists(value, inner)
