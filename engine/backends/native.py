"""A Program on the CPU, as a network of native kernels (`kernels/native`): numpy and the library.

The Program is planned when the artifact is opened: forms, places, order and micro-batch. Any number
of rows up to the batch size runs, and rows that nobody asked for are not computed.
"""

from __future__ import annotations

import os
from typing import Self

from engine.backends._native import precision as precisions
from engine.backends._native import tuning
from engine.backends._native.alone import alone
from engine.backends._native.choices import FEWEST_LANES, default_choices
from engine.backends._native.layers import only_linear
from engine.backends._native.session import Session
from engine.backends._native.sizes import default_batch_size
from engine.backends._programs import open_programs
from engine.backends.base import (
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
)
from engine.core.artifacts import Artifact
from engine.core.errors import OptionError, UnsupportedError
from engine.program.gen import Evidence, Gen
from engine.program.graph import Array
from kernels.container import processors
from kernels.native import library

# Names the instruction set to use instead of the best one, for tests and comparisons.
INSTRUCTION_SET = "GENERATOR_KERNELS_ISA"


class NativeBackend(Backend):
    """A network for each entry point and form of output."""

    name = "native"
    capabilities = Capabilities(
        artifacts=("gen", "onnx", "checkpoint"),
        devices=("cpu",),
        precisions=("fp32", "bf16"),
        through_onnx=True,
        fused_uint8=True,
        any_count=True,
        fills_out=True,
        tunes=True,
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        self.device = choose_option("device", options.device, ("cpu",), self.name)
        instruction_set = _instruction_set()
        possible = ("fp32", "bf16") if precisions.can_bf16(instruction_set) else ("fp32",)
        asked = choose_option("precision", options.precision, possible, self.name)
        opened = open_programs(artifact)
        self.spec = opened.spec
        threads = options.threads or processors()
        self.precision, why = asked, ""
        if options.precision == "auto":
            self.precision, why = _decided(opened, possible, instruction_set, threads)
        bf16 = self.precision == "bf16"
        self.batch_size = options.batch_size or default_batch_size(
            opened, threads, bf16, instruction_set
        )
        choices = default_choices(
            self.batch_size,
            threads,
            bf16,
            instruction_set,
            linear=only_linear(opened.programs["decoder"]),
            alone=alone(opened.programs),
        )
        if tuning.wanted(options.tune):
            choices = tuning.tuned(opened, artifact.sha256, choices, self.batch_size)
        self.decisions = {"native plan": choices.recorded()}
        self._session = Session(opened, choices)
        # What cannot run shall be told now, so that `auto` can go on.
        self._session.open("decoder", self.spec.modality == "image")
        measured = f"tuning: {'; '.join(choices.measured)}" if choices.measured else ""
        notes = (f"native: {choices}", why, _about_few(self.batch_size, options), measured)
        self.notes = tuple(filter(None, notes))

    @classmethod
    def unavailable(cls) -> str | None:
        """Why the library cannot be used, or None."""
        return library.unavailable()

    @classmethod
    def unsuited(cls, options: BackendOptions) -> str | None:
        """As any backend; and bfloat16 on a processor that does not multiply it."""
        instruction_set = _instruction_set()
        if options.precision == "bf16" and not precisions.can_bf16(instruction_set):
            return f"{instruction_set} does not multiply bfloat16"
        return super().unsuited(options)

    @classmethod
    def version(cls) -> str:
        """Version of the interface, and the instruction set."""
        if library.unavailable():
            return ""
        return f"{library.INTERFACE_VERSION} ({_instruction_set()})"

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Plan and pack the Programs of a .gen file, or of an ONNX file lowered first."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs, out: Array | None = None) -> Batch:
        """Up to a batch of rows; outputs are float32 arrays, the decoder's in `out`."""
        return Batch(*self._session.run(entry_point, False, inputs, out))

    def run_images(self, inputs: Inputs, out: Array | None = None) -> Batch:
        """Up to a batch of rows of the decoder as uint8 images, made in the library."""
        return Batch(*self._session.run("decoder", True, inputs, out))

    def close(self) -> None:
        """Free weights and workers."""
        self._session.close()


def _about_few(batch_size: int, options: BackendOptions) -> str:
    """What to know of batches that do not fill vectors with images, '' where they do."""
    if batch_size >= FEWEST_LANES:
        return ""
    why = "" if options.batch_size else ", chosen as its samples are large,"
    return (
        f"few images: batch_size={batch_size}{why} takes the kernels for 1 to {FEWEST_LANES - 1} "
        f"images; {FEWEST_LANES} and more sample faster, and have bits of their own"
    )


def _instruction_set() -> str:
    known = library.instruction_sets()
    asked = os.environ.get(INSTRUCTION_SET) or known[-1]
    if asked not in known:
        raise OptionError(
            f"{INSTRUCTION_SET}={asked!r} does not run here; these do: {', '.join(known)}"
        )
    return asked


def evidence(gen: Gen) -> Evidence | None:
    """What bfloat16 costs the images of a generator, or None where it cannot be measured here."""
    if library.unavailable() or gen.spec.modality != "image":
        return None
    instruction_set = library.instruction_sets()[-1]
    if not precisions.can_bf16(instruction_set):
        return None
    try:
        return precisions.probe(gen, instruction_set, processors())
    except UnsupportedError:
        return None


def _decided(
    gen: Gen, possible: tuple[str, ...], instruction_set: str, threads: int
) -> tuple[str, str]:
    """The precision for `auto`, and the evidence for it."""
    if "bf16" not in possible:
        return "fp32", f"fp32: {instruction_set} does not multiply bfloat16"
    if gen.spec.modality != "image":
        return "fp32", "fp32: only for images it is known what bfloat16 may cost"
    found, decided_by = gen.evidence, "measured when the file was exported"
    if found is None or found.precision != "bf16":
        try:
            found = precisions.probe(gen, instruction_set, threads)
        except UnsupportedError as error:
            return "fp32", f"fp32: bf16 cannot be tried, as {error}"
        decided_by = "measured when it was opened"
    chosen = "bf16" if precisions.holds(found) else "fp32"
    return chosen, precisions.describe(found, decided_by)
