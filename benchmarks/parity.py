"""Results first, then time: whoever makes other images than eager PyTorch in fp32 is not timed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.contestants.torch_common import tensors
from benchmarks.image_cost import KidJudge, image_cost, psnr_db, uint8_difference
from benchmarks.network import Array, Work
from benchmarks.results import ImageCost
from engine.images import to_uint8

# fp32: what `export` allows, with room for another order of summation at each batch size.
FP32_ERROR = 1e-3
# One step of uint8: a value on the edge between two may round either way.
FP32_STEPS = 1
# Reduced precisions: the engine's image budget. Layers, without images: eight bits of mantissa in
# inputs, weights and outputs, far below what a wrong tap would cost.
MEAN_DB = 45.0
WORST_DB = 38.0
MEAN_STEPS = 0.25
LAYER_ERROR = 2e-2
NO_KID = "KID was not asked for (--kid)"

_BATCH = 64


class WrongResultError(Exception):
    """A contestant's result is not the network's."""


@dataclass(frozen=True)
class Verdict:
    """How far a result is from the reference; images have a cost."""

    error: float
    cost: ImageCost | None


@dataclass(frozen=True, eq=False)
class Reference:
    """The right result as floats and, where there are any, images; the judge of their KID."""

    floats: Array
    images: Array | None
    judge: KidJudge | str = NO_KID


def make_reference(work: Work, judge: KidJudge | str = NO_KID) -> Reference:
    """By eager PyTorch in fp32 on the CPU, on the same inputs. Raises ImportError without torch."""
    import torch

    module = work.network.module()
    with torch.inference_mode():
        parts = [
            module(*batch).numpy()
            for batch in zip(*(value.split(_BATCH) for value in tensors(work)), strict=True)
        ]
    floats = np.concatenate(parts)
    value_range = work.network.value_range
    images = None if value_range is None else to_uint8(floats, value_range)
    return Reference(floats, images, judge)


def check(made: Array, work: Work, reference: Reference, judge: KidJudge | str = NO_KID) -> Verdict:
    """Compare a whole result; KID takes long. Raises WrongResultError, saying what is off."""
    right = reference.images if work.output == "uint8" else reference.floats
    if right is None:
        raise WrongResultError("images were asked for from a network that makes none")
    if made.shape != right.shape or made.dtype != right.dtype:
        raise WrongResultError(
            f"made {made.dtype} {list(made.shape)}, not {right.dtype} {list(right.shape)}"
        )
    difference = np.abs(made.astype(np.float32) - right.astype(np.float32))
    largest, scale = float(difference.max()), float(np.abs(right).max())
    if not np.isfinite(largest):
        raise WrongResultError("made NaN or infinity")
    verdict = Verdict(largest / scale, _cost(made, work, reference, judge))
    _enforce(verdict, largest, work)
    return verdict


def _cost(made: Array, work: Work, right: Reference, judge: KidJudge | str) -> ImageCost | None:
    """Images are compared as they are; floats before they are rounded, except for uint8 steps."""
    value_range = work.network.value_range
    if value_range is None or right.images is None:
        return None
    if work.output == "uint8":
        return image_cost(made, right.images, judge)
    mean, worst = psnr_db(made, right.floats, value_range[1] - value_range[0])
    steps = uint8_difference(to_uint8(made, value_range), right.images)
    return ImageCost(mean, worst, steps, kid_reason="floats; see the same case with uint8 images")


def _enforce(verdict: Verdict, largest: float, work: Work) -> None:
    if work.precision == "fp32":
        bound = FP32_STEPS if work.output == "uint8" else FP32_ERROR
        if largest > bound:
            raise WrongResultError(f"{largest:.3g} from the reference; {bound:g} is allowed")
    elif verdict.cost is None:
        if verdict.error > LAYER_ERROR:
            raise WrongResultError(
                f"{verdict.error:.2g} of the largest value from the reference; {LAYER_ERROR:g} is "
                "allowed"
            )
    elif not _within_budget(verdict.cost):
        cost = verdict.cost
        raise WrongResultError(
            f"PSNR {cost.psnr_mean_db:.1f} dB, worst {cost.psnr_worst_db:.1f} dB, "
            f"{cost.uint8_difference:.3f} steps of uint8 in the mean; the image budget is "
            f"{MEAN_DB:g}, {WORST_DB:g} and {MEAN_STEPS:g}"
        )


def _within_budget(cost: ImageCost) -> bool:
    return (
        cost.psnr_mean_db >= MEAN_DB
        and cost.psnr_worst_db >= WORST_DB
        and cost.uint8_difference <= MEAN_STEPS
    )
