"""One line of the report: everything that is known of a configuration on an architecture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kernels.conv_transpose.problem import Problem
from kernels.inspect.catalogue import known
from kernels.inspect.comparison import compare
from kernels.inspect.gate import gate
from kernels.inspect.survey import Architecture, Key, Outcome
from kernels.inspect.targets import TARGETS, missed, work_of

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """Figures of one configuration; sizes in bytes, None where there is nothing to say."""

    name: str
    architecture: Architecture
    kernel: str
    shape: str = ""
    tile: str = ""
    registers: int | None = None
    shared_bytes: int | None = None
    ctas: int | None = None
    loop_kind: str = ""
    per_tensor_instruction: float | None = None
    baseline: str = ""
    baseline_ratio: float | None = None
    useful_flops: int | None = None
    executed_flops: int | None = None
    fill_bytes: int | None = None
    compulsory_bytes: int | None = None
    binary_bytes: int | None = None
    compile_s: float | None = None
    faults: tuple[str, ...] = field(default_factory=tuple)

    @property
    def key(self) -> Key:
        """What the row is about."""
        return Key(self.name, self.architecture)


@dataclass(frozen=True)
class Survey:
    """All rows of one version of Triton."""

    triton: str
    rows: tuple[Row, ...]

    def to_json(self) -> str:
        """The survey as JSON, for `--compare` of another run."""
        return json.dumps(
            {"format": FORMAT, "triton": self.triton, "rows": [asdict(row) for row in self.rows]},
            indent=1,
        )

    @classmethod
    def from_json(cls, text: str) -> Survey:
        """Read what to_json wrote. Raises ValueError for anything else."""
        try:
            data = json.loads(text)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']} instead of {FORMAT}")
            rows = tuple(Row(**{**row, "faults": tuple(row["faults"])}) for row in data["rows"])
            return cls(str(data["triton"]), rows)
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a survey of kernels: {error!r}") from error


def make_row(outcome: Outcome, references: Sequence[Outcome]) -> Row:
    """A row, with its loop compared with the best of the references."""
    key, configuration = outcome.key, known(outcome.key.name, outcome.key.architecture)
    layer, launch = configuration.layer, configuration.launch
    values: dict[str, Any] = {"kernel": launch.name, "tile": f"w{launch.num_warps}"}
    faults: list[str] = [outcome.error] if outcome.error else []
    if layer is not None:
        tile, work = layer.tile, work_of(layer)
        values |= {
            "kernel": layer.design.NAME,
            "shape": shape_of(layer.problem, layer.batch),
            "tile": f"{tile.rows}x{tile.columns}x{tile.depth} w{tile.warps} s{tile.stages}",
            "useful_flops": layer.useful_flops,
            "executed_flops": work.executed_flops,
            "fill_bytes": work.fill_bytes,
            "compulsory_bytes": work.compulsory_bytes,
        }
        if key.name in TARGETS:
            faults += missed(key.name, layer)
    if not outcome.error:
        values |= {"binary_bytes": outcome.binary_bytes, "compile_s": outcome.compile_s}
    reading = outcome.reading
    if reading is not None:
        faults += gate(reading, configuration.demand)
        values |= {
            "registers": reading.registers,
            "shared_bytes": reading.shared_bytes,
            "ctas": reading.ctas_per_multiprocessor,
        }
        if reading.loop is not None:
            values |= {
                "loop_kind": reading.loop.kind,
                "per_tensor_instruction": reading.loop.per_tensor_instruction,
            }
        comparison = compare(outcome, references)
        if comparison is not None:
            values |= {"baseline": comparison.baseline, "baseline_ratio": comparison.ratio}
    return Row(key.name, key.architecture, faults=tuple(faults), **values)


def shape_of(problem: Problem, batch: int) -> str:
    """A problem in a line: 1024 x 512 > 256, 4x4 > 8x8, k4 s2, fp16."""
    geometry = problem.geometry
    parts = [f"{batch} x {problem.in_channels} > {problem.out_channels}"]
    if geometry.rank:
        inside, outside = (
            "x".join(map(str, s)) for s in (geometry.input_size, geometry.output_size)
        )
        parts.append(f"{inside} > {outside}")
        parts.append(" ".join(_axis(name, getattr(geometry, field)) for name, field in _AXES))
    parts.append(problem.operand)
    if problem.output != problem.operand:
        parts.append(f"to {problem.output}")
    if problem.groups > 1:
        parts.append(f"{problem.groups} groups")
    return ", ".join(parts)


_AXES = (("k", "kernel"), ("s", "stride"), ("d", "dilation"))


def _axis(letter: str, sizes: tuple[int, ...]) -> str:
    """k4 where all axes agree, else k4x3."""
    return letter + (str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes)))
