"""The networks of one opened generator, planned and packed when they are first needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.backends._native.arguments import Input, Output
from engine.backends._native.build import build
from engine.backends._native.choices import Choices
from engine.backends._native.plan import Plan, make_plan
from engine.backends.base import Inputs
from engine.core.errors import OptionError
from engine.program.entry_points import tensors
from engine.program.gen import Gen
from engine.program.graph import Array
from kernels.native.network import Network

# What needs a network of its own: an entry point, and whether it ends in uint8 images.
Key = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Ready:
    """A plan and its network."""

    plan: Plan
    network: Network


class Session:
    """Plans and networks of a generator, all after the same choices."""

    def __init__(self, gen: Gen, choices: Choices) -> None:
        self._gen = gen
        self.choices = choices
        self._ready: dict[Key, Ready] = {}
        self._closed = False

    def plan(self, entry_point: str, images: bool) -> Plan:
        """The plan of an entry point. Raises UnsupportedError for what native cannot run."""
        spec = self._gen.spec
        program = self._gen.programs[entry_point]
        given, wanted = tensors(spec, entry_point)
        values = {value.name: value for value in program.outputs}
        choices = self.choices
        if entry_point == "encoder":
            # The image budget speaks of images, so latents stay in float32; and what was measured
            # is of the decoder's layers.
            choices = replace(choices, bf16=False, algorithms={})
        return make_plan(
            program,
            choices,
            tuple(Input.of(value, given[value.name]) for value in program.inputs),
            tuple(Output.of(values[name], shape, images) for name, shape in wanted.items()),
            spec.output.range,
        )

    def open(self, entry_point: str, images: bool) -> Ready:
        """The network of an entry point, made if it is not there yet. Raises as `build`."""
        if self._closed:
            raise OptionError("the engine is closed; make a new one")
        key = entry_point, images
        if key not in self._ready:
            plan = self.plan(entry_point, images)
            self._ready[key] = Ready(plan, build(plan))
        return self._ready[key]

    def run(
        self, entry_point: str, images: bool, inputs: Inputs, out: Array | None = None
    ) -> tuple[dict[str, Array], Array]:
        """Outputs by name, and [n] whether they are finite, of inputs [n, ...].

        out: a contiguous array for the one output that there is.
        """
        ready = self.open(entry_point, images)
        plan = ready.plan
        feed = [source.prepared(inputs[source.value.name]) for source in plan.inputs]
        rows = len(feed[0])
        filled = [output.empty(rows, out) for output in plan.outputs]
        try:
            finite = ready.network.run(rows, feed, filled)
        except MemoryError as error:
            raise OptionError(
                "the machine has no more memory for the network's workers; set threads= (it is "
                f"{self.choices.threads}) or batch_size= lower"
            ) from error
        except RuntimeError as error:
            raise OptionError(
                f"the network's workers failed: {error}; where the machine allows no more threads, "
                f"set threads= lower (it is {self.choices.threads})"
            ) from error
        except ValueError as error:
            if not self._closed:
                raise
            raise OptionError("the engine was closed in the midst of a run") from error
        made = {
            output.value.name: output.finished(array, out)
            for output, array in zip(plan.outputs, filled, strict=True)
        }
        return made, finite

    def close(self) -> None:
        """Free all networks; one that another thread runs, when it has ended."""
        self._closed = True
        for ready in list(self._ready.values()):
            ready.network.close()
        self._ready.clear()
