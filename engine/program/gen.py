"""`.gen`: a generator ready to run, in one file that is mapped into memory.

It holds the spec, a Program for each entry point, and their weights, as `engine.program.packed`
lays them out. Reading it needs numpy alone. It is verified when it is opened, all of it: a pass of
SHA-256 over the weights costs less than packing them, which reads them as well, and a damaged
weight would show nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.errors import ArtifactError, NumericalError
from engine.core.records import ArrayTable, decode_record, encode_record
from engine.core.spec import GeneratorSpec
from engine.program.check import check_program
from engine.program.entry_points import check_entry_points
from engine.program.graph import Program
from engine.program.packed import container
from engine.program.packed.programs import decode_programs, encode_program

_REMEDY = "make it again with python -m export.gen"


@dataclass(frozen=True, slots=True)
class Source:
    """What a file was made of: the model file's name and hash, versions of the tools, precision.

    `versions` are pairs of tool and version. precision is "fp32", or "fp16-weights" where the
    weights were rounded.
    """

    name: str = ""
    sha256: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a lower precision costs the images of `n` samples of a seed, against float32.

    PSNR of all samples together and of the worst one; mean difference of uint8 values. Measured on
    an instruction set by a version of this package.
    """

    precision: str
    n: int
    seed: int
    mean_psnr_db: float
    worst_psnr_db: float
    mean_difference: float
    instruction_set: str
    version: str


@dataclass(frozen=True)
class Gen:
    """A generator: its spec, and its Programs by entry point ("decoder", "encoder").

    evidence: that a lower precision keeps its images, or does not; None if nobody measured.
    """

    spec: GeneratorSpec
    programs: Mapping[str, Program]
    source: Source = field(default_factory=Source)
    evidence: Evidence | None = None


def write(path: str | Path, gen: Gen) -> None:
    """Write a file in one step; equal generators give equal bytes.

    Raises ArtifactError for Programs that do not hold together or do not fit the spec,
    NumericalError for weights that are NaN or infinite, OutputError.
    """
    table = ArrayTable()
    programs = {name: encode_program(program, table) for name, program in gen.programs.items()}
    try:
        for program in gen.programs.values():
            check_program(program)
        check_entry_points(gen.spec, gen.programs)
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be written: {error}") from error
    for program in gen.programs.values():
        _check_finite(program)
    header = {
        "spec": gen.spec.to_dict(),
        "programs": programs,
        "source": encode_record(gen.source, table),
    }
    if gen.evidence is not None:
        header["evidence"] = encode_record(gen.evidence, table)
    container.write(path, header, table.arrays)


def read(path: str | Path) -> Gen:
    """Open a file, all of it verified. Raises ArtifactError naming the path and the remedy."""
    contents = container.read(path)
    try:
        gen = Gen(
            spec=GeneratorSpec.from_dict(contents.header.get("spec")),
            programs=decode_programs(contents.header.get("programs"), contents.arrays),
            source=decode_record(contents.header.get("source"), Source, ()),
            evidence=_evidence(contents.header.get("evidence")),
        )
        check_entry_points(gen.spec, gen.programs)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error
    return gen


def read_spec(path: str | Path) -> GeneratorSpec:
    """The spec alone; of the file, only the header is read and verified. Raises ArtifactError."""
    header = container.read(path, header_only=True).header
    try:
        return GeneratorSpec.from_dict(header.get("spec"))
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error


def read_source(path: str | Path) -> Source:
    """What a file was made of; only its header is read and verified. Raises ArtifactError."""
    header = container.read(path, header_only=True).header
    try:
        source: Source = decode_record(header.get("source"), Source, ())
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error
    return source


def _evidence(values: Any) -> Evidence | None:
    evidence: Evidence | None = None if values is None else decode_record(values, Evidence, ())
    return evidence


def _check_finite(program: Program) -> None:
    for operation in program.operations:
        for name, value in vars(operation).items():
            parts = value if isinstance(value, tuple) else (value,)
            arrays = (part for part in parts if isinstance(part, np.ndarray))
            if not all(np.isfinite(array).all() for array in arrays):
                raise NumericalError(
                    f"{name} of the {operation.kind} {operation.name!r} holds NaN or infinity; "
                    "the weights are unusable"
                )
