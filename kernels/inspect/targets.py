"""Targets that follow from a tiling alone: bytes and products of the layers of a DCGAN."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.configurations import Layer
from kernels.conv_transpose.design import Work
from kernels.conv_transpose.packing import type_bytes


@dataclass(frozen=True, slots=True)
class Target:
    """The most of a layer at batch 1024: bytes into shared memory, executed per useful FLOP."""

    fill_bytes: float | None
    executed_per_useful: float


# DCGAN for 64x64 images, by the names of `kernels.configurations`.
TARGETS: dict[str, Target] = {
    "dcgan-1": Target(None, 1.28),
    "dcgan-2": Target(620e6, 1.05),
    "dcgan-3": Target(710e6, 1.05),
    "dcgan-4": Target(910e6, 1.25),
    "dcgan-5": Target(350e6, 4.5),
}
# Times input, weights and output.
COMPULSORY = 1.1


def work_of(layer: Layer) -> Work:
    """What a layer's design does for its batch."""
    return layer.design.work(layer.problem, layer.tile, layer.batch)


def least_bytes(layer: Layer) -> int:
    """Input, weights and output of a layer, each once and without padding."""
    problem, geometry = layer.problem, layer.problem.geometry
    item = type_bytes(problem.operand)
    weights = geometry.taps * problem.in_channels * problem.out_channels // problem.groups
    return (
        layer.batch * geometry.positions_in * problem.in_channels * item
        + weights * item
        + layer.batch * geometry.positions_out * problem.out_channels * type_bytes(problem.output)
    )


def missed(name: str, layer: Layer) -> list[str]:
    """The targets that a layer misses, each as a sentence."""
    target, work = TARGETS[name], work_of(layer)
    executed = work.executed_flops / layer.useful_flops
    compulsory = work.compulsory_bytes / least_bytes(layer)
    faults = []
    if target.fill_bytes is not None and work.fill_bytes > target.fill_bytes:
        faults.append(f"fills {work.fill_bytes / 1e6:.0f} MB of {target.fill_bytes / 1e6:.0f} MB")
    if executed > target.executed_per_useful:
        faults.append(f"executes {executed:.2f} of {target.executed_per_useful} FLOPs a useful one")
    if compulsory > COMPULSORY:
        faults.append(f"moves {compulsory:.2f} of {COMPULSORY} times its tensors")
    return faults
