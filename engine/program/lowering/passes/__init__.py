"""Passes over a draft: each makes it smaller or cheaper, and none changes what it computes."""

from __future__ import annotations

from collections.abc import Callable

from engine.program.lowering.draft import Draft
from engine.program.lowering.passes.activation import fuse_activations
from engine.program.lowering.passes.affine import fold_affines
from engine.program.lowering.passes.cleanup import clean_up
from engine.program.lowering.passes.commute import elementwise_before_upsample
from engine.program.lowering.passes.norm import name_norms, name_weighted_sums
from engine.program.lowering.passes.padding import fold_padding
from engine.program.lowering.passes.permute import absorb_permutes, drop_output_permutes
from engine.program.lowering.passes.rows import permutes_into_rows
from engine.program.lowering.passes.shuffle import shuffle_to_transposed
from engine.program.lowering.passes.upsample import upsample_to_transposed

Pass = Callable[[Draft], bool]

# Folding comes before fusing: an activation closes an operation.
_FOLDING: tuple[Pass, ...] = (
    clean_up,
    elementwise_before_upsample,
    name_norms,
    name_weighted_sums,
    fold_affines,
    absorb_permutes,
    permutes_into_rows,
    fold_padding,
    upsample_to_transposed,
    shuffle_to_transposed,
)
_FUSING: tuple[Pass, ...] = (fuse_activations, drop_output_permutes, clean_up)


def simplify(draft: Draft) -> None:
    """Run all passes until none finds anything more."""
    for passes in (_FOLDING, _FUSING):
        while any(run(draft) for run in passes):
            pass
