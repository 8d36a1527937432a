"""A loaded generator -> torch.export program (`.pt2`): its graph and weights without its code.

The spec travels in an extra file of the archive, and a digest of everything in another; a `.pt2`
holds one graph, so an encoder is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from engine.core.errors import ExportError
from engine.core.files import atomic_path
from engine.core.options import LoadOptions
from engine.models.fold import folded
from engine.models.foreign.program import load_program
from engine.models.foreign.program_archive import SPEC_FILE, add_digest
from engine.models.infer import first_line
from engine.models.loaded import LoadedGenerator
from export import graph, parity
from export.quiet import quiet
from export.report import assumed_lines

_TRACED_BATCH = 2


@dataclass(frozen=True)
class ProgramReport:
    """The file that was written, and its error against PyTorch."""

    loaded: LoadedGenerator
    path: Path
    size_bytes: int
    error: float

    def lines(self) -> list[str]:
        """For the user."""
        left = " (its encoder is left out)" if "encoder" in self.loaded.entry_points else ""
        return [
            f"network   {self.loaded.arch}: {self.loaded.spec.family}",
            *assumed_lines(self.loaded.assumptions),
            f"wrote     {self.path} ({self.size_bytes / 1e6:.2f} MB), the decoder{left}",
            f"parity    max error {self.error:.1e} against PyTorch, batches 1 and 5 "
            f"(limit {parity.TOLERANCE:.0e})",
        ]


def export_program(loaded: LoadedGenerator, out: str | Path) -> ProgramReport:
    """Write OUT.pt2 with the decoder, batch norms folded, the batch free; read back and compared.

    Raises ExportError, OutputError.
    """
    out = Path(out)
    spec = loaded.spec.replace(entry_points=("decoder",))
    module = loaded.entry_points["decoder"]
    parity.check_module(module, spec, "decoder")
    inputs = graph.example_inputs(spec, "decoder", _TRACED_BATCH)
    batch = torch.export.Dim("batch")
    with atomic_path(out) as temporary:
        try:
            with quiet(), torch.no_grad():
                ready = folded(module)
                shapes = graph.dynamic_shapes(ready, [{0: batch} for _ in inputs])
                program = torch.export.export(ready, inputs, dynamic_shapes=shapes)
                torch.export.save(program, temporary, extra_files={SPEC_FILE: spec.to_json()})
        # torch.export raises whatever its many passes raise.
        except Exception as error:
            raise ExportError(
                f"{spec.name}: torch.export cannot express the decoder: {first_line(error)}"
            ) from error
        add_digest(temporary)
        read = load_program(temporary, LoadOptions()).entry_points["decoder"]
        worst = max(_error(read, loaded, count) for count in parity.BATCHES)
        if not worst <= parity.TOLERANCE:
            raise ExportError(
                f"{spec.name}: the program differs from PyTorch by {worst:.1e}, more than "
                f"{parity.TOLERANCE:.0e}; nothing was written"
            )
    return ProgramReport(loaded, out, out.stat().st_size, worst)


def _error(read: torch.nn.Module, loaded: LoadedGenerator, count: int) -> float:
    inputs = graph.example_inputs(loaded.spec, "decoder", count, start=count)
    module = loaded.entry_points["decoder"]
    return parity.error(parity.run_module(read, inputs), parity.run_module(module, inputs))
