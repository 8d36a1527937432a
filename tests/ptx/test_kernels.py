"""PTX of every shipped kernel, executed: float64 references, canaries, and all of the checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("triton")
pytest.importorskip("torch")

from tests.ptx.suites import ARCHITECTURES, Key, Outcome, everywhere, in_turn, suites

TMA_ARCHITECTURES = (90, 100, 120)
# Cases that run on all architectures; the rest of a suite takes turns.
CORE = {
    "position_major": ("dcgan-first", "channels-odd", "wide"),
    "position_rows": ("rows-2d-stride-3", "wide"),
    "general": ("groups", "one-channel"),
    "shifted_grid": ("output-padding", "wide"),
    "grouped_columns": ("image", "wide"),
    "descriptors": ("map", "map-uint8", "vocoder", "wide"),
    "noise": ("latents normal fp16 padded", "forward fp32, odd", "backward fp32, odd"),
    "recurrent": ("lstm fp16, wide tile", "gru fp32, odd"),
    "sampler": ("top 5 of 50, int64",),
    "pointwise-fp16": ("affine_leaky_relu", "instance_norm", "pool_mean", "softmax"),
}
# bf16 and fp32 differ from fp16 in loads, stores and conversions, not in each function.
OTHER_TYPES = ("add_relu", "concat_channels", "group_norm_odd", "reduce_max", "resample")


def keys() -> list[Key]:
    made = []
    for suite, core in CORE.items():
        architectures = TMA_ARCHITECTURES if suite == "descriptors" else ARCHITECTURES
        made += everywhere(suite, core, architectures)
        made += in_turn(
            suite, (name for name in suites()[suite] if name not in core), architectures
        )
    for dtype in ("bf16", "fp32"):
        made += in_turn(f"pointwise-{dtype}", OTHER_TYPES, ARCHITECTURES[::-1])
    return made


@pytest.mark.parametrize("key", keys(), ids=lambda key: key.id)
def test_kernel(key: Key, outcome_of: Callable[[Key], Outcome]) -> None:
    outcome = outcome_of(key)
    if outcome.unimplemented:
        pytest.skip(f"unimplemented in the simulator: {outcome.unimplemented}")
    assert outcome.wrong == ""


@pytest.mark.parametrize(
    ("key", "instruction"),
    [
        (next(everywhere("position_major", ["wide"], [90])), "wgmma"),
        (next(everywhere("position_major", ["wide"], [100])), "tcgen05"),
        (next(everywhere("shifted_grid", ["wide"], [90])), "wgmma"),
        (next(everywhere("descriptors", ["map"], [90])), "cp.async.bulk.tensor"),
    ],
    ids=["wgmma", "tcgen05", "shifted-wgmma", "tma"],
)
def test_wide_tiles_use_the_asynchronous_engines(
    key: Key, instruction: str, outcome_of: Callable[[Key], Outcome]
) -> None:
    assert instruction in outcome_of(key).instructions
