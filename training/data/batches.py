"""Batches as a pure function of (seed, step), so that resuming needs no state of the data order."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import OptionError
from training.data.dataset import ImageData
from training.seeds import derive


class Batches:
    """An endless row of permutations of the data, cut into batches of one size."""

    def __init__(
        self, data: ImageData, batch_size: int, seed: int, value_range: tuple[float, float]
    ) -> None:
        if len(data) == 0:
            raise OptionError("the data set is empty")
        self._images = torch.from_numpy(np.ascontiguousarray(data.images.transpose(0, 3, 1, 2)))
        self._labels = torch.from_numpy(data.labels)
        self._batch_size = batch_size
        self._seed = seed
        self._range = value_range
        self._orders: dict[int, NDArray[np.int64]] = {}

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch `step`: float32 images [B, C, H, W] in the value range, int64 labels [B]."""
        index = torch.from_numpy(self.indices(step))
        low, high = self._range
        images = self._images[index].float().mul_((high - low) / 255.0).add_(low)
        return images, self._labels[index]

    def indices(self, step: int) -> NDArray[np.int64]:
        """Which images batch `step` holds, int64 [B]."""
        count = len(self._labels)
        flat = np.arange(step * self._batch_size, (step + 1) * self._batch_size)
        epochs = {int(epoch) for epoch in np.unique(flat // count)}
        self._orders = {epoch: self._order(epoch) for epoch in epochs}
        return np.array([self._orders[int(i // count)][i % count] for i in flat], dtype=np.int64)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch in self._orders:
            return self._orders[epoch]
        generator = np.random.default_rng(derive(self._seed, "order", epoch))
        return generator.permutation(len(self._labels))
