"""A flat state dict read as layers: which tensors belong together, and what they must be.

Spectral norm (Miyato et al. 2018) and weight norm (Salimans, Kingma 2016) are folded into the
weights, in the form of torch.nn.utils and of torch.nn.utils.parametrizations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError

Array = NDArray[Any]
PartKind = Literal["linear", "conv", "norm", "embedding", "prelu"]

_PARAMETRIZED = re.compile(r"^(?:(.*)\.)?parametrizations\.(\w+)\.(original[01]?|0\._[uv])$")
# Both kinds of norm have a `v`: of the power iteration, or the direction of the weight.
_LEAVES = {
    "original": "orig",
    "original0": "g",
    "original1": "v",
    "0._u": "power_u",
    "0._v": "power_v",
}
_EMBEDDING = re.compile(r"emb", re.IGNORECASE)
_NOISE_BUFFERS = frozenset({"num_batches_tracked"})


@dataclass(frozen=True, eq=False)
class Part:
    """One layer with weights: its path, its tensors by leaf name, and where each came from."""

    name: str
    kind: PartKind
    tensors: Mapping[str, Array]
    sources: Mapping[str, str]

    @property
    def weight(self) -> Array:
        """The main tensor."""
        return self.tensors["weight"]

    @property
    def bias(self) -> bool:
        """Whether there is a bias."""
        return "bias" in self.tensors

    @property
    def container(self) -> str:
        """The path of what holds this layer."""
        return self.name.rpartition(".")[0]

    @property
    def index(self) -> int | None:
        """Its place in a Sequential, None outside of one."""
        last = self.name.rpartition(".")[2]
        return int(last) if last.isdigit() else None

    @property
    def features(self) -> int:
        """Channels of a norm."""
        return len(self.tensors["running_mean"])


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key under which layer 10 comes after layer 2."""
    return [
        (0, int(piece), "") if piece.isdigit() else (1, 0, piece)
        for piece in re.split(r"(\d+)|\.", name)
        if piece
    ]


def read_parts(tensors: Mapping[str, Array]) -> list[Part]:
    """The layers of a state dict, in its order. Raises ArtifactError for an unknown one."""
    groups: dict[str, dict[str, tuple[str, Array]]] = {}
    for key, tensor in tensors.items():
        name, leaf = _split(key)
        if tensor.ndim and tensor.dtype.kind != "f":
            raise ArtifactError(
                f"the tensor {key!r} holds {tensor.dtype}, weights are floats; save them as "
                "float32, not quantised and not complex"
            )
        if leaf not in _NOISE_BUFFERS:
            groups.setdefault(name, {})[leaf] = (key, tensor)
    return [_part(name, group) for name, group in groups.items()]


def _split(key: str) -> tuple[str, str]:
    match = _PARAMETRIZED.match(key)
    if match:
        name, tensor, leaf = match.groups()
        return name or "", f"{tensor}_{_LEAVES[leaf]}"
    name, _, leaf = key.rpartition(".")
    return name, leaf


def _part(name: str, group: Mapping[str, tuple[str, Array]]) -> Part:
    tensors = {leaf: tensor for leaf, (_, tensor) in group.items()}
    sources = {leaf: key for leaf, (key, _) in group.items()}
    _fold_norms(tensors, sources)
    tensors = {leaf: np.ascontiguousarray(t, np.float32) for leaf, t in tensors.items()}
    kind = _kind(name, tensors)
    if kind is None:
        shapes = ", ".join(f"{leaf} {list(t.shape)}" for leaf, t in tensors.items())
        raise ArtifactError(f"the layer {name or '(top level)'!r} is none that is known: {shapes}")
    return Part(name, kind, tensors, sources)


def _fold_norms(tensors: dict[str, Array], sources: dict[str, str]) -> None:
    """Replace the factors of a normed weight by the weight that the layer applies."""
    if "weight_g" in tensors and "weight_v" in tensors:
        scale, direction = tensors.pop("weight_g"), tensors.pop("weight_v")
        axes = tuple(axis for axis in range(direction.ndim) if scale.shape[axis] == 1)
        length = np.sqrt(np.sum(np.square(direction, dtype=np.float64), axis=axes, keepdims=True))
        tensors["weight"] = scale * (direction / length)
        sources["weight"] = sources.pop("weight_v")
        del sources["weight_g"]
    if "weight_orig" in tensors:
        original = tensors.pop("weight_orig").astype(np.float64)
        power = [
            leaf for leaf in tensors if leaf.startswith(("weight_u", "weight_v", "weight_power"))
        ]
        if len(power) != 2:
            raise ArtifactError(f"the spectral norm of {sources['weight_orig']!r} lacks u or v")
        left, right = (tensors.pop(leaf).astype(np.float64) for leaf in sorted(power))
        tensors["weight"] = original / _spectral_norm(original, left, right)
        sources["weight"] = sources.pop("weight_orig")
        for leaf in power:
            del sources[leaf]


def _spectral_norm(weight: Array, left: Array, right: Array) -> float:
    """u^T W v; W is the weight with its output channels first.

    Those are axis 0, or axis 1 of a transposed convolution. Where both axes would fit, the right
    one gives the larger value, since u and v are singular vectors of that matrix.
    """
    values = []
    for axis in (0, 1):
        matrix = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
        if matrix.shape == (left.size, right.size):
            values.append(float(left @ matrix @ right))
    if not values:
        raise ArtifactError(f"a spectral norm does not fit its weight of shape {weight.shape}")
    return max(values)


def _kind(name: str, tensors: Mapping[str, Array]) -> PartKind | None:
    leaves = set(tensors)
    if (
        {"running_mean", "running_var"}
        <= leaves
        <= {"running_mean", "running_var", "weight", "bias"}
    ):
        return "norm"
    if "weight" not in leaves or not leaves <= {"weight", "bias"}:
        return None
    rank = tensors["weight"].ndim
    if rank == 1 and "bias" not in leaves:
        return "prelu"
    if rank == 2 and "bias" not in leaves and _EMBEDDING.search(name):
        return "embedding"
    if rank == 2:
        return "linear"
    return "conv" if 3 <= rank <= 5 else None
