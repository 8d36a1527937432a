from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton")

from kernels.compile import ARCHITECTURES
from kernels.conv_transpose.design import Tile
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.packing import TORCH_TYPES, type_bytes
from kernels.conv_transpose.planner import LEVELS, choose_tile, plan
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.tiles import TILES, nearest, tiles_of
from kernels.geometry import Geometry


def up(size: int, cin: int, cout: int) -> Problem:
    return Problem(Geometry.transposed((size, size), (4, 4), 2, 1), cin, cout)


FIRST = Problem(Geometry.transposed((1, 1), (4, 4)), 100, 512)
SECOND = up(4, 512, 256)
THIRD = up(8, 256, 128)
FOURTH = up(16, 128, 64)
VOCODER = Problem(Geometry.transposed((256,), (16,), 8, 4), 512, 256)
DOWN = Problem(Geometry.forward((64, 64), (3, 3), 2, 1), 128, 256)
IMAGE = Problem(Geometry.transposed((32, 32), (4, 4), 2, 1), 64, 3, output="uint8")
DESIGNS = {name for level in LEVELS for name in level.designs}
DEPTHWISE = Problem(Geometry.forward((8, 8), (3, 3), padding=1), 32, 32, groups=32)


@pytest.mark.parametrize(
    ("problem", "batch", "design"),
    [
        (FIRST, 1024, "position_major"),
        (SECOND, 1024, "position_major"),
        (THIRD, 1024, "position_major"),
        (FOURTH, 1024, "shifted_grid"),
        (IMAGE, 1024, "grouped_columns"),
        (FIRST, 1, "position_major"),
        (THIRD, 1, "shifted_grid"),
        (VOCODER, 1, "shifted_grid"),
        (DOWN, 1, "position_rows"),
        (DEPTHWISE, 1024, "general"),
    ],
    ids=[
        "first",
        "second",
        "third",
        "fourth",
        "image",
        "one-latent",
        "one-sample",
        "vocoder",
        "strided",
        "depthwise",
    ],
)
def test_design_by_shape(problem: Problem, batch: int, design: str) -> None:
    assert plan(problem, batch, 80).design == design


def test_boxes_on_hopper_but_not_before() -> None:
    wide = Problem(Geometry.forward((64, 64), (3, 3), padding=1), 128, 128)
    assert plan(wide, 16, 90).design == "descriptors"
    before = plan(wide, 16, 89)
    assert before.design == "shifted_grid"
    assert "no tensor memory accelerator" in before.others["descriptors"]


def test_plan_says_why_and_why_not() -> None:
    chosen = plan(DEPTHWISE, 8, 90)
    assert chosen.reason
    assert "groups=32" in chosen.others["position_major"]
    assert chosen.design not in chosen.others
    assert set(chosen.others) == DESIGNS - {chosen.design}
    assert all(chosen.others.values()), chosen.others


# Issue targets for a DCGAN of 64x64 at batch 1024.
@pytest.mark.parametrize(
    ("problem", "fill_megabytes", "executed", "compulsory"),
    [
        (FIRST, 30, 1.28, 1.1),
        (SECOND, 620, 1.05, 1.1),
        (THIRD, 710, 1.05, 1.1),
        (FOURTH, 910, 1.25, 1.1),
        (IMAGE, 350, 4.5, 1.1),
    ],
    ids=["first", "second", "third", "fourth", "image"],
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_work_of_dcgan(
    problem: Problem, fill_megabytes: int, executed: float, compulsory: float, architecture: int
) -> None:
    chosen = plan(problem, 1024, architecture)
    work = load_design(chosen.design).work(problem, chosen.tile, 1024)
    geometry = problem.geometry
    least = (
        1024 * geometry.positions_in * problem.in_channels * 2
        + geometry.taps * problem.in_channels * problem.out_channels * 2
        + 1024 * geometry.positions_out * problem.out_channels * type_bytes(problem.output)
    )
    assert work.fill_bytes <= fill_megabytes * 1e6
    assert work.executed_flops <= executed * 1024 * problem.useful_flops
    assert work.compulsory_bytes <= compulsory * least


def test_work_counted_by_hand() -> None:
    # Outputs 0 .. 3 of a 4-tap, stride 2, padding 1 kernel over 2 inputs meet 1, 2, 2, 1 of them.
    problem = Problem(Geometry.transposed((2,), (4,), 2, 1), 24, 40, output="fp32")
    work = load_design("position_major").work(problem, Tile(32, 16, 16), 50)
    assert work.executed_flops == 2 * 6 * 64 * 32 * 48
    assert work.fill_bytes == 6 * (64 * 24 * 3 + 32 * 48 * 2) * 2
    assert work.compulsory_bytes == 50 * 2 * 24 * 2 + 4 * 32 * 48 * 2 + 50 * 4 * 40 * 4


@pytest.mark.parametrize(
    ("design", "problem", "tile"),
    [
        ("position_major", SECOND, Tile(64, 64, 64)),
        ("position_rows", THIRD, Tile(128, 64, 64)),
        ("shifted_grid", THIRD, Tile(128, 64, 64)),
        ("grouped_columns", IMAGE, Tile(64, 32, 64, group=5)),
        ("descriptors", THIRD, Tile(64, 64, 64)),
        ("general", DEPTHWISE, Tile(64, 16, 1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_work_counts_the_programs_of_the_grid(design: str, problem: Problem, tile: Tile) -> None:
    module, geometry, batch = load_design(design), problem.geometry, 70
    channels = (problem.in_channels // problem.groups, problem.out_channels)
    packed = module.pack(problem, tile, torch.empty(*geometry.kernel, *channels, device="meta"))
    x = torch.empty(batch, *geometry.input_size, problem.in_channels, device="meta")
    out = torch.empty(batch, *geometry.output_size, problem.out_channels, device="meta")
    (launch,) = module.launches(packed, x.half(), out.to(TORCH_TYPES[problem.output]))
    assert math.prod(launch.grid) == module.work(problem, tile, batch).programs


@pytest.mark.parametrize("batch", [1, 16, 17, 100, 1024])
def test_rows_follow_the_batch(batch: int) -> None:
    tile = choose_tile("position_major", SECOND, batch, 80)
    assert tile.rows <= max(16, 4 * batch)
    assert tile in {replace(entry, depth=tile.depth) for entry in tiles_of("position_major", 2, 80)}


@pytest.mark.parametrize(
    ("channels", "depth"), [(512, 64), (100, 64), (96, 32), (40, 16), (8, 16), (104, 64)]
)
def test_depth_is_the_deepest_that_pads_little(channels: int, depth: int) -> None:
    problem = Problem(Geometry.transposed((1, 1), (4, 4)), channels, 512)
    assert choose_tile("position_major", problem, 1024, 80).depth == depth


def test_newer_architecture_takes_the_table_before_it() -> None:
    table = {80: "ampere", 90: "hopper"}
    assert [nearest(table, architecture) for architecture in (80, 89, 90, 103)] == [80, 80, 90, 90]


def test_older_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"compute capability 7\.5 is not supported"):
        plan(SECOND, 64, 75)


def test_unknown_design_is_refused() -> None:
    with pytest.raises(ValueError, match="is not one of position_major"):
        load_design("winograd")


def test_every_planned_design_has_tiles_for_every_operand() -> None:
    for design in DESIGNS:
        for operand, operand_bytes in (("fp16", 2), ("fp32", 4)):
            problem = replace(THIRD, operand=operand)
            if load_design(design).refuses(problem, 90) is None:
                assert TILES[design, operand_bytes][90 if design == "descriptors" else 80], design
