"""What a way to sample costs in images: PSNR and uint8 steps against fp32, change of KID.

Both sides come from the same latents and labels. KID (Binkowski et al. 2018) is to the data that
the model was trained on, on EfficientNet-lite0's features for colour and on those of a classifier
of the same data for grey: its change says how much further from real images the samples moved.
"""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import ImageCost
from engine import zoo
from engine.backends.base import not_installed
from engine.core.errors import EngineError

Images = NDArray[np.uint8]
Features = NDArray[np.float64]


class KidJudge:
    """KID to real images, for many ways to draw the same samples.

    Features of equal images are made once; a colour image takes 50 ms of one CPU core or more.
    """

    def __init__(self, features: Callable[[Images], Features], real: Images) -> None:
        self._features = features
        self._real = features(real)
        self._known: dict[bytes, float] = {}

    def kid(self, images: Images) -> float:
        """KID of images [n, H, W, C] to the real ones. Raises ValueError below two images."""
        from training.evaluation import measures

        key = images.tobytes()
        if key not in self._known:
            self._known[key] = measures.kid(self._features(images), self._real)
        return self._known[key]


def image_cost(images: Images, reference: Images, judge: KidJudge | str) -> ImageCost:
    """Cost of images [n, H, W, C] against fp32's `reference`; `judge` may be why there is none.

    Raises ValueError for arrays of other shapes or types, and for no images.
    """
    if images.shape != reference.shape or not images.size:
        raise ValueError(f"images {images.shape} and {reference.shape} cannot be compared")
    if images.dtype != np.uint8 or reference.dtype != np.uint8:
        raise ValueError(f"images must be uint8, not {images.dtype} and {reference.dtype}")
    mean, worst = psnr_db(images, reference)
    steps = uint8_difference(images, reference)
    if isinstance(judge, str):
        return ImageCost(mean, worst, steps, kid_reason=judge)
    kid_fp32 = judge.kid(reference)
    return ImageCost(mean, worst, steps, judge.kid(images) - kid_fp32, kid_fp32)


def psnr_db(
    values: NDArray[Any], reference: NDArray[Any], peak: float = 255.0
) -> tuple[float, float]:
    """PSNR over all samples [n, ...] and that of the worst one, in dB; infinite where equal.

    The first one is of the mean squared error, so that a sample without any error does not hide
    the others, as it would in a mean of decibels.
    """
    error = values.astype(np.float64) - reference.astype(np.float64)
    squares = np.square(error).reshape(len(error), -1).mean(axis=1)
    return _decibel(float(squares.mean()), peak), _decibel(float(squares.max()), peak)


def uint8_difference(images: Images, reference: Images) -> float:
    """Mean absolute difference in steps of uint8."""
    return float(np.abs(images.astype(np.int16) - reference.astype(np.int16)).mean())


def kid_judge(model: str, size: int, channels: int, real: int = 2000) -> KidJudge | str:
    """A judge of a shipped model's images [size, size, channels], or why there is none.

    Nothing is downloaded: data and network must be in the cache, where training put them. At most
    `real` images are taken.
    """
    if model not in zoo.names():
        return f"{model} does not ship, and the data it was trained on are not at hand"
    missing = not_installed("torch", "train") or _missing_data(model, channels)
    if missing:
        return missing
    try:
        return _judge(model, size, channels, real)
    except EngineError as error:
        return str(error)


def _judge(model: str, size: int, channels: int, real: int) -> KidJudge:
    from training.data import load
    from training.data.clean import clean
    from training.data.prepare import prepare
    from training.evaluation import efficientnet
    from training.evaluation.classifier import train_judge

    name, category = _data_of(model)
    loaded = load(name, emoji_category=category, channels=channels, size=size)
    data = clean(prepare(loaded, size, channels))
    order = np.random.default_rng(0).permutation(len(data))[:real]
    images = data.images[np.sort(order)]
    if channels == 3:
        network = efficientnet.load()
        return KidJudge(lambda batch: efficientnet.features(network, batch), images)
    judge = train_judge(data)
    return KidJudge(lambda batch: judge.judge(batch).features, images)


def _missing_data(model: str, channels: int) -> str | None:
    """Which package is not in the cache, with the command that gets it."""
    from training.data import digits, emoji
    from training.data.fetch import unpacked
    from training.evaluation import efficientnet

    name, _ = _data_of(model)
    packages = {"digits": [digits.PACKAGE], "emoji": [emoji.PACKAGE]}.get(name, [])
    for package in [*packages, *([efficientnet.PACKAGE] if channels == 3 else [])]:
        if not unpacked(package).is_dir():
            command = " ".join(package.command)
            return f"{package.name} is not in the cache; `{command}`, or train once"
    return None


def _data_of(model: str) -> tuple[str, str | None]:
    """The data set of a card's command, and its emoji category."""
    words = shlex.split(zoo.card(model)["command"])
    options = dict(itertools.pairwise(words))
    return options["--data"], options.get("--emoji-category")


def _decibel(mean_square: float, peak: float) -> float:
    return 10.0 * math.log10(peak * peak / mean_square) if mean_square else math.inf
