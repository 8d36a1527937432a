"""A small CNN that learns the real data's classes: the judge of generated images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.augment import translation
from training.data import ImageData
from training.seeds import derive

_HELD_OUT = 5
_BATCH = 100


class SmallCNN(nn.Module):
    """Images [B, C, S, S] in [-1, 1] -> logits [B, classes]; `features` are 128 a image."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((channels, 32), (32, 64), (64, 64)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(3), nn.Flatten())
        self.hidden = nn.Linear(64 * 9, 128)
        self.head = nn.Linear(128, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer, [B, 128]."""
        return F.relu(self.hidden(self.layers(images)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes]."""
        logits: Tensor = self.head(self.features(images))
        return logits


@dataclass(frozen=True)
class Judged:
    """A classifier's view of N images: class probabilities [N, K] and features [N, F]."""

    probabilities: NDArray[np.float64]
    features: NDArray[np.float64]


@dataclass(frozen=True)
class Judge:
    """A trained classifier, its accuracy on images it never saw, and which those were."""

    network: SmallCNN
    held_out_accuracy: float
    held_out: NDArray[np.int64]

    @torch.no_grad()
    def judge(self, images: NDArray[np.uint8]) -> Judged:
        """Look at images [N, S, S, C]."""
        probabilities, features = [], []
        for start in range(0, len(images), 500):
            hidden = self.network.features(as_tensor(images[start : start + 500]))
            features.append(hidden.double().numpy())
            probabilities.append(self.network.head(hidden).double().softmax(1).numpy())
        return Judged(np.concatenate(probabilities), np.concatenate(features))


def train_judge(data: ImageData, epochs: int = 6, seed: int = 0) -> Judge:
    """Train on four fifths of labelled data, measure on the rest. Raises TrainingError."""
    classes = len(data.class_names)
    if classes < 2 or len(data) < 10 * classes:
        raise TrainingError(
            f"{data.name}: {len(data)} images of {classes} classes are too few for a classifier"
        )
    order = np.random.default_rng(derive(seed, "judge")).permutation(len(data))
    cut = len(data) // _HELD_OUT
    held_out, used = order[:cut], order[cut:]
    torch.manual_seed(derive(seed, "judge"))
    network = SmallCNN(data.channels, classes)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    steps = epochs * (len(used) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=max(steps, 1))
    for step in range(steps):
        first = step * _BATCH % (len(used) - _BATCH + 1)
        index = used[first : first + _BATCH]
        images = translation(as_tensor(data.images[index]), 0.06)
        loss = F.cross_entropy(network(images), torch.from_numpy(data.labels[index]))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    network.eval()
    judge = Judge(network, 0.0, held_out)
    guessed = judge.judge(data.images[held_out]).probabilities.argmax(1)
    return Judge(network, float((guessed == data.labels[held_out]).mean()), held_out)


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] to float32 [N, C, H, W] in [-1, 1]."""
    channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return torch.from_numpy(channels_first).float().div_(127.5).sub_(1.0)
