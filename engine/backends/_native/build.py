"""A plan made into a network: weights packed, memory set apart, checked before."""

from __future__ import annotations

from engine.backends._native.plan import Plan
from engine.core.errors import OptionError, UnsupportedError
from engine.core.units import human_bytes
from engine.memory import available_bytes, check_fits
from kernels.native.network import Network


def build(plan: Plan) -> Network:
    """The network of a plan.

    Raises UnsupportedError for an operation that the library refuses, and OptionError saying what
    to set where memory is short.
    """
    _check_memory(plan)
    choices = plan.choices
    try:
        network = Network(
            choices.capacity,
            plan.arena_bytes,
            threads=choices.threads,
            team=choices.few,
            instruction_set=choices.instruction_set,
        )
        try:
            _fill(network, plan)
        except BaseException:
            network.close()
            raise
    except OptionError:
        raise
    except ValueError as error:
        raise UnsupportedError(f"native kernels refuse the model: {error}") from error
    except MemoryError as error:
        raise OptionError(f"{_needs(plan)}, and that is not to be had; {_REMEDY}") from error
    return network


def _fill(network: Network, plan: Plan) -> None:
    for placed in plan.steps:
        step = placed.step
        network.add(
            step.kind,
            placed.inputs,
            placed.outputs,
            integers=placed.integers,
            numbers=step.numbers,
            arrays=step.arrays,
            name=step.name,
        )
    if plan.items:
        network.schedule(plan.items)
    # Weights are packed; arenas, and scratch memory that kinds alone know of, come with the first
    # run.
    check_fits("the memory of its workers", network.workspace_bytes, _REMEDY)


def planned_bytes(plan: Plan) -> int:
    """Bytes that a network will take: packed weights, and an arena for each worker.

    Without the scratch memory of its kinds, which they tell when they are there
    (`Network.workspace_bytes`).
    """
    arenas = 1 if plan.choices.few else plan.choices.threads
    weights = sum(placed.step.weight_bytes for placed in plan.steps)
    return arenas * plan.arena_bytes + weights


_REMEDY = "set threads= lower, or batch_size= below 16 for the path of few images"


def _needs(plan: Plan) -> str:
    return f"the network takes {human_bytes(planned_bytes(plan))} of memory"


def _check_memory(plan: Plan) -> None:
    free = available_bytes()
    if free is not None and planned_bytes(plan) > free:
        raise OptionError(f"{_needs(plan)}, {human_bytes(free)} are free; {_REMEDY}")
