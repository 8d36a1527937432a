"""No model at all: outputs of the right shape, a simple function of the latents and labels.

It opens every artifact whose spec can be read, and a spec alone (a JSON file). Everything around a
network, from batching to files, can be tested and timed with it.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.backends._spec import read_spec
from engine.backends.base import (
    ENCODER_INPUT,
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
)
from engine.core.artifacts import Artifact
from engine.core.spec import GeneratorSpec

_BATCH_SIZE = 32


class NullBackend(Backend):
    """Repeats the latent over the output: element j is tanh(z[j mod size]), moved into range."""

    name = "null"
    capabilities = Capabilities(
        artifacts=("spec", "checkpoint", "onnx", "gen", "plan", "bundle"),
        devices=("cpu",),
        precisions=("fp32",),
    )

    def __init__(self, spec: GeneratorSpec, options: BackendOptions) -> None:
        self.spec = spec
        self.device = choose_option("device", options.device, ("cpu",), self.name)
        self.precision = choose_option("precision", options.precision, ("fp32",), self.name)
        self.batch_size = options.batch_size or _BATCH_SIZE
        self.notes = ("no model is run: the output only repeats the latents",)

    @classmethod
    def unavailable(cls) -> str | None:
        """Always available."""
        return None

    @classmethod
    def version(cls) -> str:
        """The version of numpy, which is all it needs."""
        return np.__version__

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Read the spec and nothing else."""
        return cls(read_spec(artifact), options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """Shapes as the spec says."""
        if entry_point == "encoder":
            flat = inputs[ENCODER_INPUT].reshape(len(inputs[ENCODER_INPUT]), -1)
            mean = _repeat(flat, self.spec.latent.shape)
            return Batch({"mean": mean, "logvar": np.zeros_like(mean)})
        z = inputs[self.spec.latent.name]
        values = np.tanh(_repeat(z.reshape(len(z), -1), self.spec.output.shape))
        if self.spec.condition is not None and self.spec.classes:
            labels = inputs[self.spec.condition.name]
            share = 2 * (labels + 0.5) / len(self.spec.classes) - 1
            values[:, :1] = share.reshape(-1, *(1,) * (values.ndim - 1))
        low, high = self.spec.output.range
        scaled = (values + 1) * np.float32((high - low) / 2) + np.float32(low)
        return Batch({self.spec.output.name: scaled})

    def close(self) -> None:
        """Nothing is held."""


def _repeat(flat: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """[B, n] -> [B, *shape] by repeating the n values."""
    size = int(np.prod(shape))
    index = np.arange(size) % flat.shape[1]
    return flat[:, index].reshape(len(flat), *shape).astype(np.float32)
