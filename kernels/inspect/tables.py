"""The report's tables: one form for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kernels.configurations import baselines, configurations
from kernels.conv_transpose.baseline import BASELINES
from kernels.inspect.catalogue import is_own, known
from kernels.inspect.cells import (
    NOTHING,
    Table,
    architecture_name,
    flops,
    kib,
    loop,
    megabytes,
    pair,
    ratio,
    whole,
)
from kernels.inspect.devices import DEVICES, roofline
from kernels.inspect.plain import NAMES, plain_launches, plain_name
from kernels.inspect.rows import Row, Survey
from kernels.inspect.survey import Key
from kernels.inspect.targets import work_of
from kernels.inspect.traces import Count


def binaries(survey: Survey, other: Survey | None) -> Table:
    """Static figures of every configuration, with the other Triton's beside them where given."""
    theirs: Mapping[Key, Row] = {row.key: row for row in other.rows} if other else {}
    columns = ["Kernel", "GPU", "Design, tile", "Registers", "Shared, KiB", "CTAs / SM"]
    columns += ["Loop / TC", "Against matmul", "Binary, KiB", "Compile, CPU s", "Faults"]
    cells = []
    for row in survey.rows:
        if not is_own(row.name):
            continue
        both = theirs.get(row.key) if other else None
        cells.append(
            (
                row.name,
                architecture_name(row.architecture),
                f"{row.kernel} {row.tile}",
                pair(row, both, lambda each: whole(each.registers)),
                pair(row, both, lambda each: kib(each.shared_bytes)),
                pair(row, both, lambda each: whole(each.ctas)),
                pair(row, both, loop),
                pair(row, both, ratio),
                kib(row.binary_bytes),
                NOTHING if row.compile_s is None else f"{row.compile_s:.1f}",
                "; ".join(row.faults) or "none",
            )
        )
    note = (
        f"Fresh compiles with Triton {survey.triton}, read from the binaries. Tiles: rows x "
        "columns x depth, warps, stages. Loop / TC: instructions of the main loop for each "
        "tensor-core instruction (*: unrolled). Against matmul: that figure over the best of the "
        "tutorial's matrix products with the same "
        "tensor-core instruction; the target is 1.15."
    )
    if other:
        note += f" After the slash: Triton {other.triton}."
    return Table("Binaries", note, tuple(columns), tuple(cells), frozenset(range(3, 10)))


def against_plain(survey: Survey) -> Table:
    """The fused designs beside zero insertion and one kernel a phase."""
    rows = {row.key: row for row in survey.rows}
    cells = []
    for name in NAMES:
        for architecture in dict.fromkeys(row.architecture for row in survey.rows):
            for other in (name, *(plain_name(name, kind) for kind in BASELINES)):
                row = rows.get(Key(other, architecture))
                if row is None or not row.useful_flops or not row.executed_flops:
                    continue
                cells.append(
                    (
                        name,
                        architecture_name(architecture),
                        row.kernel,
                        str(_launches(other, architecture)),
                        loop(row),
                        f"{row.executed_flops / row.useful_flops:.2f}",
                        megabytes(row.compulsory_bytes),
                        megabytes(row.fill_bytes),
                    )
                )
    return Table(
        "Why these designs",
        "The same layers as one would write them at first: zeros inserted between the inputs and "
        "an ordinary convolution, or one product for every phase, each followed by a kernel for "
        "batch norm, activation and conversion. Counted over all their launches; the loop is that "
        "of the product.",
        (
            *("Layer", "GPU", "Implementation", "Launches", "Loop / TC"),
            *("Executed / useful", "Device memory, MB", "Fill, MB"),
        ),
        tuple(cells),
        frozenset(range(3, 8)),
    )


def products(survey: Survey) -> Table:
    """The tutorial's matrix products, which loops are compared with."""
    return Table(
        "Matrix products",
        "Triton's tutorial 03 in its own configurations: what the loops above are held against.",
        ("Product", "GPU", "Warps", "Registers", "Shared, KiB", "CTAs / SM", "Loop / TC"),
        tuple(
            (
                row.name,
                architecture_name(row.architecture),
                row.tile,
                whole(row.registers),
                kib(row.shared_bytes),
                whole(row.ctas),
                loop(row),
            )
            for row in survey.rows
            if row.name in baselines()
        ),
        frozenset(range(3, 7)),
    )


def work(survey: Survey) -> Table:
    """Bytes and products of every layer, counted from its tiling."""
    cells = [
        (
            row.name,
            architecture_name(row.architecture),
            row.shape,
            f"{row.kernel} {row.tile}",
            flops(row.useful_flops),
            f"{row.executed_flops / row.useful_flops:.2f}",
            megabytes(row.compulsory_bytes),
            megabytes(row.fill_bytes),
        )
        for row in survey.rows
        if row.useful_flops and row.executed_flops and is_own(row.name)
    ]
    return Table(
        "Work",
        "Counted by each design's formula, which a test holds against traces of the simulator. "
        "Compulsory: input, packed weights and output once. Fill: what the tiles fetch into shared "
        "memory from L2.",
        (
            *("Layer", "GPU", "Shape", "Design, tile", "Useful, GFLOP", "Executed / useful"),
            *("Compulsory, MB", "Fill, MB"),
        ),
        tuple(cells),
        frozenset(range(4, 8)),
    )


def rooflines(names: Iterable[str]) -> Table:
    """Estimates of every layer on every device: compute and memory time at peak rates."""
    cells = []
    for name in names:
        line = [name]
        for device in DEVICES:
            layer = configurations(device.architecture)[name].layer
            if layer is None:
                break
            done = work_of(layer)
            bound = roofline(
                device, layer.problem.operand, done.executed_flops, done.compulsory_bytes
            )
            line.append(f"{bound.compute_us:.0f} / {bound.memory_us:.0f} {bound.bound}")
        else:
            cells.append(tuple(line))
    return Table(
        "Roofline estimates",
        "Not measured: microseconds that the executed FLOPs and the compulsory bytes take at the "
        "peak rates of data sheets (compute / memory, and which of them bounds). No kernel reaches "
        "them.",
        ("Layer", *(device.name for device in DEVICES)),
        tuple(cells),
        frozenset(range(1, len(DEVICES) + 1)),
    )


def traces(counts: Mapping[str, Count], architecture: int) -> Table:
    """Traced bytes beside the formulas, at the reduced sizes."""
    return Table(
        "Traces",
        f"Small layers run in the PTX simulator (sm_{architecture}), every access counted, beside "
        "the formula that the table of work uses at full size. A test holds them equal.",
        (
            *("Design", "Fill traced, bytes", "Fill by formula"),
            *("Compulsory traced, bytes", "Compulsory by formula"),
        ),
        tuple(
            (
                name,
                f"{count.traced_fill:,}",
                f"{count.formula_fill:,}",
                f"{count.traced_compulsory:,}",
                f"{count.formula_compulsory:,}",
            )
            for name, count in counts.items()
        ),
        frozenset(range(1, 5)),
    )


def names_of(rows: Sequence[Row]) -> list[str]:
    """Names of our layers, each once, in order."""
    return list(dict.fromkeys(row.name for row in rows if row.useful_flops and is_own(row.name)))


def _launches(name: str, architecture: int | str) -> int:
    layer = known(name, architecture).layer
    return 1 if is_own(name) or layer is None else len(plain_launches(layer))
