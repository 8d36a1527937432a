"""bfloat16 or float32: whether the image budget holds, and the evidence for it.

The budget is of images against float32 on probe latents of a fixed seed. Evidence is taken when a
.gen file is exported, and stays true on other machines: every instruction set rounds operands to
bfloat16, by far the larger error, and sums in float32, in one order or another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backends._native.choices import default_choices
from engine.backends._native.session import Session
from engine.core.budget import Cost
from engine.core.spec import GeneratorSpec
from engine.core.version import __version__
from engine.latents import draw, random_labels
from engine.program.gen import Evidence, Gen

_PROBES = 64
_SEED = 20260101
_WITH_BF16 = ("avx512_bf16", "amx")

Images = NDArray[np.uint8]


def can_bf16(instruction_set: str) -> bool:
    """Whether an instruction set multiplies bfloat16."""
    return instruction_set in _WITH_BF16


def holds(evidence: Evidence) -> bool:
    """Whether the image budget holds."""
    return _cost(evidence).holds


def describe(evidence: Evidence, decided_by: str) -> str:
    """The evidence as a note for the user."""
    verdict = "bf16 holds" if holds(evidence) else "fp32: bf16 breaks"
    return (
        f"{verdict} the image budget: {_cost(evidence)}; {evidence.n} samples of seed "
        f"{evidence.seed} on {evidence.instruction_set}, {decided_by}"
    )


def probe(gen: Gen, instruction_set: str, threads: int) -> Evidence:
    """Run the decoder both ways. Raises what `Session` raises."""
    one, other = (
        _images(gen, Session(gen, default_choices(_PROBES, threads, bf16, instruction_set)))
        for bf16 in (False, True)
    )
    cost = Cost.of(other, one)
    return Evidence(
        precision="bf16",
        n=_PROBES,
        seed=_SEED,
        mean_psnr_db=cost.mean_psnr_db,
        worst_psnr_db=cost.worst_psnr_db,
        mean_difference=cost.mean_difference,
        instruction_set=instruction_set,
        version=__version__,
    )


def _images(gen: Gen, session: Session) -> Images:
    try:
        made, _ = session.run("decoder", True, probe_inputs(gen.spec))
    finally:
        session.close()
    images: Images = made[gen.spec.output.name]
    return images


def probe_inputs(
    spec: GeneratorSpec, n: int = _PROBES
) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Inputs of the decoder for n samples of the probes' seed."""
    feed: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {
        noise.name: draw(noise, _SEED, 0, n, index=index)
        for index, noise in enumerate((spec.latent, *spec.noise))
    }
    if spec.condition is not None:
        feed[spec.condition.name] = random_labels(len(spec.classes), _SEED, 0, n)
    return feed


def _cost(evidence: Evidence) -> Cost:
    return Cost(evidence.mean_psnr_db, evidence.worst_psnr_db, evidence.mean_difference)
