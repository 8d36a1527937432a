"""What is measured against each other: whole decoders, and single layers of them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Protocol, Self

import numpy as np

from engine.backends._native.build import build
from engine.backends._native.choices import Choices
from engine.backends._native.plan import PlacedStep, Plan
from engine.backends._native.precision import probe_inputs
from engine.backends._native.session import Session
from engine.backends._native.steps import Step
from engine.core.errors import OptionError
from engine.program.gen import Gen
from engine.program.graph import Array
from engine.program.planning import arena
from kernels.native.network import Space, Value


class Contestant(Protocol):
    """What can be run and timed, and is closed after it."""

    def seconds(self) -> float:
        """What its work takes, of one run."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


# The least time that a run shall take.
_TIMED_S = 0.03

LAYER = "lanes_convolution"


class Decoder:
    """The decoder after some choices, to be run on part of a batch."""

    def __init__(self, gen: Gen, choices: Choices, batch_size: int) -> None:
        self._session = Session(gen, choices)
        self._spec = gen.spec
        self._images = gen.spec.modality == "image"
        self._batch_size = batch_size
        # What all workers do in one go.
        self._together = choices.capacity * choices.threads
        self._size = min(batch_size, self._together)
        self._feed = probe_inputs(gen.spec, self._size)
        self._out: Array | None = None

    def seconds(self) -> float:
        """What a batch takes, of one run of some goes of it."""
        began = time.perf_counter()
        made, _ = self._session.run("decoder", self._images, self._feed, self._out)
        elapsed = time.perf_counter() - began
        first = self._out is None
        self._out = made[self._spec.output.name]
        if first:
            self._enlarge(elapsed)
        return elapsed * self._goes(self._batch_size) / self._goes(self._size)

    def _enlarge(self, elapsed_s: float) -> None:
        """Make the next run long enough to be timed."""
        size = min(self._batch_size, self._together * _goes_for(elapsed_s))
        if size > self._size:
            self._size = size
            self._feed = probe_inputs(self._spec, size)
            made, _ = self._session.run("decoder", self._images, self._feed)
            self._out = made[self._spec.output.name]

    def _goes(self, images: int) -> int:
        return -(-images // self._together)

    def plan(self) -> Plan:
        """How it runs."""
        return self._session.open("decoder", self._images).plan

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()


class Layer:
    """One layer of a plan by itself, on numbers as a layer before it would leave them."""

    def __init__(self, plan: Plan, placed: PlacedStep, algorithm: int) -> None:
        choices = plan.choices
        self._together = choices.capacity * choices.threads
        self._goes, self._begun = 1, False
        (source,), (target,) = placed.inputs, placed.outputs
        room = arena.aligned(source.bytes(choices.capacity))
        moved = partial(replace, space=Space.ARENA)
        source, target = moved(source, offset=0), moved(target, offset=room)
        draw = np.random.default_rng(0).standard_normal((source.positions, source.channels))
        numbers = Step("constant", "numbers", (), (), arrays=(draw.astype(np.float32),))
        integers = (*placed.integers[:-1], algorithm)
        self._network = build(
            replace(
                plan,
                inputs=(),
                outputs=(),
                # Numbers that are not there could be any, and some take the processor longer.
                steps=(
                    _placed(numbers, (), source),
                    _placed(placed.step, (source,), target, integers),
                ),
                items=(),
                arena_bytes=room + arena.aligned(target.bytes(choices.capacity)),
                banded=0,
            )
        )

    def seconds(self) -> float:
        """What a micro-batch of each worker takes, of one run of some."""
        began = time.perf_counter()
        try:
            self._network.run(self._together * self._goes, (), ())
        except RuntimeError as error:
            raise OptionError(f"workers of a layer failed: {error}") from error
        elapsed = (time.perf_counter() - began) / self._goes
        if not self._begun:
            self._begun, self._goes = True, _goes_for(elapsed)
        return elapsed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._network.close()


def _goes_for(elapsed_s: float) -> int:
    return max(1, int(_TIMED_S / elapsed_s))


def layers(plan: Plan) -> dict[str, PlacedStep]:
    """The layers that have a choice of algorithms, by name."""
    return {placed.step.name: placed for placed in plan.steps if placed.step.kind == LAYER}


def _placed(
    step: Step, inputs: tuple[Value, ...], output: Value, integers: tuple[int, ...] = ()
) -> PlacedStep:
    return PlacedStep(step, inputs, (output,), integers)
