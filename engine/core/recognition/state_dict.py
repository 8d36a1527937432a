"""Finding the generator's state dict inside a checkpoint, whatever the training script called it.

Works on nested mappings whose leaves have a `shape`; nothing here knows PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.recognition.listed_average import with_listed_average

Tensors = dict[str, Any]

# DataParallel and torch.compile put these into the names of a wrapped module.
_WRAPPERS = frozenset({"module", "_orig_mod"})
_NOT_GENERATOR = re.compile(
    r"^(d|ds|disc|dis|critic|net_?d(_\w+)?|d_net|d_\w+|model_d)$|discriminator|^optim"
    r"|optimi[sz]er|^opt(_|$)|_opt$|scheduler|scaler|classifier|^training$|^grad"
)
_DISCRIMINATOR = re.compile(r"discriminator|^critic$|^net_?d$", re.IGNORECASE)
_AVERAGED = re.compile(r"(^|_)(ema|avg|averaged|shadow)(_|$)|^g_running$|^gs$|^ema")
_RAW = re.compile(r"^online")
_GENERATOR = re.compile(
    r"^(g|gs|gen|net_?g|g_net|g_\w+|gen_\w+|model_g|vae|decoder)$|generator|^net_?g_"
)
_GENERIC = re.compile(r"^(model|state_dict|net|network|weights|params|state|model_state)")
_LISTED = 6
# The rank from which on a state dict is a moving average.
_AVERAGE = 4


@dataclass(frozen=True)
class Found:
    """A state dict, the dotted path of keys to it ('' for the file itself), lines for the user."""

    tensors: Tensors
    path: str
    notes: tuple[str, ...] = ()


def find_state_dict(values: Any, key: str | None = None) -> Found:
    """The generator's state dict in a checkpoint; moving averages go first.

    key names it, dots for nesting. Raises ArtifactError if there is none.
    """
    candidates = dict(_state_dicts(values, ()))
    if key is not None:
        return _named(candidates, key)
    if not candidates:
        raise ArtifactError(
            f"holds no state dict, but {_kind(values)}; "
            "save the weights with torch.save(model.state_dict(), path)"
        )
    ranked = sorted(candidates, key=lambda path: -_rank(path))
    best = ranked[0]
    if _rank(best) < 0:
        raise ArtifactError(
            f"holds no generator, only {_listed(candidates)}; name the generator's key with "
            "--state-key if it is one of these"
        )
    notes: tuple[str, ...] = ()
    equals = [path for path in ranked[1:] if _rank(path) == _rank(best)]
    if equals:
        notes = (
            f"weights: {_dotted(best)!r} was taken, {_listed(equals)} would do as well "
            "(--state-key chooses)",
        )
    elif best:
        notes = (f"weights: from the key {_dotted(best)!r}",)
    tensors, more = _completed(candidates, best)
    if _rank(best) < _AVERAGE:
        # Only where no other moving average was found.
        tensors, listed = with_listed_average(values, tensors)
        more += listed
    return Found(tensors, _dotted(best), notes + more)


def unwrapped(tensors: Mapping[str, Any]) -> Tensors:
    """The tensors without the name parts that DataParallel and torch.compile add."""
    return {
        ".".join(part for part in key.split(".") if part not in _WRAPPERS): tensor
        for key, tensor in tensors.items()
        # Counters beside the weights: epochs, steps, the updates of torch's AveragedModel.
        if "." in key or len(tensor.shape) > 0
    }


def generator_part(tensors: Mapping[str, Any]) -> tuple[Tensors, str]:
    """The generator's share of a state dict that holds several networks, and its prefix.

    A state dict of one network comes back whole, with the prefix ''.
    """
    tops = list(dict.fromkeys(key.split(".")[0] for key in tensors if "." in key))
    ranks = {top: _rank((top,)) for top in tops}
    best = max(tops, key=lambda top: ranks[top], default="")
    several = len(tops) == 1 or any(_DISCRIMINATOR.search(top) for top in tops)
    several |= ranks.get(best, 0) >= 2 and min(ranks.values()) < 0
    averaged = ranks.get(best, 0) >= 4 and len(tops) > 1
    if not best or best.isdigit() or not (several or averaged) or ranks[best] <= 0:
        # A layer may well be called `d`; only a name that says it in full is left out.
        kept = {k: t for k, t in tensors.items() if not _DISCRIMINATOR.search(k.split(".")[0])}
        return (kept or dict(tensors)), ""
    prefix = f"{best}."
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}, prefix


def is_tensor(value: Any) -> bool:
    """Whether a leaf of a checkpoint is an array."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _state_dicts(values: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Tensors]]:
    if isinstance(values, (list, tuple)):
        # As saved by torch.save((state_dict, epoch), path); lists of tensors are something else.
        values = {str(index): item for index, item in enumerate(values) if not is_tensor(item)}
    if not isinstance(values, Mapping):
        return
    tensors = {str(key): value for key, value in values.items() if is_tensor(value)}
    if any(len(tensor.shape) > 1 for tensor in tensors.values()):
        yield path, tensors
    for key, value in values.items():
        yield from _state_dicts(value, (*path, str(key)))


def _rank(path: tuple[str, ...]) -> int:
    """4 and more: moving average; 2: generator by name; 1: a usual name; 0: unknown; -1: not it."""
    names = [part.lower() for part in path]
    if any(_NOT_GENERATOR.search(name) for name in names):
        return -1
    rank = 0
    if any(_AVERAGED.search(name) for name in names):
        rank += 4
    if any(_GENERATOR.search(name) for name in names):
        rank += 2
    if not rank and (not names or any(_GENERIC.search(name) for name in names)):
        rank = 1
    return 0 if any(_RAW.search(name) for name in names) else rank


def _completed(
    candidates: Mapping[tuple[str, ...], Tensors], best: tuple[str, ...]
) -> tuple[Tensors, tuple[str, ...]]:
    """Add what a moving average of parameters lacks: the running statistics of batch norms."""
    chosen = candidates[best]
    if _rank(best) < _AVERAGE:
        return chosen, ()
    for path, tensors in candidates.items():
        raw = unwrapped(tensors)
        own = unwrapped(chosen)
        missing = [key for key in raw if key not in own]
        if _rank(path) in (0, 1, 2) and missing and own.keys() < raw.keys():
            note = (
                f"weights: {len(missing)} tensors that the moving average lacks "
                f"({missing[0]}, ...) come from {_dotted(path)!r}"
            )
            # In the order of the full state dict, which is the order of the layers.
            return {key: own.get(key, tensor) for key, tensor in raw.items()}, (note,)
    return chosen, ()


def _named(candidates: Mapping[tuple[str, ...], Tensors], key: str) -> Found:
    for path, tensors in candidates.items():
        if _dotted(path) == key:
            return Found(tensors, key)
    # The key may also be a prefix inside a flat state dict: `generator` of `generator.0.weight`.
    for tensors in candidates.values():
        prefix = f"{key}."
        part = {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
        if part:
            return Found(part, key)
    raise ArtifactError(f"has no state dict at the key {key!r}; it holds {_listed(candidates)}")


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path)


def _listed(paths: Any) -> str:
    names = [repr(_dotted(path)) if path else "the top level" for path in paths]
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


def _kind(values: Any) -> str:
    if isinstance(values, Mapping):
        keys = ", ".join(map(repr, list(values)[:_LISTED]))
        return f"a dict with the keys {keys}" if keys else "an empty dict"
    return f"a {type(values).__name__}"
