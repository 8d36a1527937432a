"""The report's files from figures that are known, and its command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from kernels.inspect import markdown, page, tables
from kernels.inspect.__main__ import main
from kernels.inspect.bars import Bar, Chart, draw
from kernels.inspect.cells import loop
from kernels.inspect.comparison import compare
from kernels.inspect.devices import DEVICES, roofline
from kernels.inspect.flow import MainLoop
from kernels.inspect.report import keys_of, summary, write
from kernels.inspect.rows import Row, Survey
from kernels.inspect.survey import Key, Outcome
from kernels.inspect.traces import Count
from tests.cases.readings import GOOD

ROW = Row(
    "dcgan-3",
    90,
    "position_major",
    shape="1024 x 256 > 128",
    tile="256x128x64 w8 s3",
    registers=199,
    shared_bytes=147456,
    ctas=1,
    loop_kind="loop",
    per_tensor_instruction=14.25,
    baseline="matmul 256x128x64",
    baseline_ratio=0.958,
    useful_flops=60 * 10**9,
    executed_flops=63 * 10**9,
    fill_bytes=708 * 10**6,
    compulsory_bytes=102 * 10**6,
    binary_bytes=24576,
    compile_s=1.62,
)
SURVEY = Survey("3.9.0", (ROW, replace(ROW, architecture=80, faults=("spills: <8> bytes | 1",))))


def test_a_survey_survives_json() -> None:
    assert Survey.from_json(SURVEY.to_json()) == SURVEY


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "triton": "3"}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  json's own message differs
        Survey.from_json(text)


def test_cells_say_what_the_row_knows() -> None:
    (cells, _) = tables.binaries(SURVEY, None).cells
    assert cells == (
        *("dcgan-3", "sm_90", "position_major 256x128x64 w8 s3"),
        *("199", "144", "1", "14.25", "0.96", "24", "1.6", "none"),
    )


def test_the_other_tritons_figures_stand_behind_a_slash() -> None:
    other = Survey("3.7.1", (replace(ROW, registers=205, baseline_ratio=None),))
    table = tables.binaries(SURVEY, other)
    assert table.cells[0][3] == "199 / 205"
    assert table.cells[0][7] == "0.96 / -"
    assert table.cells[1][3] == "199"
    assert "Triton 3.7.1" in table.note


def test_work_is_in_its_units() -> None:
    cells = tables.work(SURVEY).cells[0]
    assert cells[4:] == ("60.0", "1.05", "102", "708")


def test_an_unrolled_loop_is_marked() -> None:
    assert loop(replace(ROW, loop_kind="straight")) == "14.25*"


def test_the_files_hold_all_tables(tmp_path: Path) -> None:
    counts = {"position_major": Count(1234567, 1234567, 10, 10)}
    html, document = write(tmp_path / "report", SURVEY, None, counts, 80)
    text = html.read_text()
    for heading in ("Binaries", "Why these designs", "Work", "Roofline estimates", "Traces"):
        assert f">{heading}</h2>" in text
        assert f"## {heading}\n" in document.read_text()
    assert "1,234,567" in text
    assert text.count("<svg") == 2
    assert "<script" not in text
    assert "http" not in text
    assert sorted(each.name for each in (tmp_path / "report").iterdir()) == [
        "index.html",
        "kernels.md",
    ]


def test_text_is_escaped_for_each_form() -> None:
    table = tables.binaries(SURVEY, None)
    assert "<td class=fault>spills: &lt;8&gt; bytes | 1</td>" in page.render(
        "t", "", [], "", [table]
    )
    assert "spills: <8> bytes \\| 1 |" in markdown.render("t", [table])


def test_the_summary_counts_binaries_with_faults() -> None:
    assert summary(SURVEY).startswith("2 binaries from Triton 3.9.0")
    assert "1 of them with a fault" in summary(SURVEY)


def test_bars_share_a_scale_and_show_their_target() -> None:
    chart = Chart("fill", (Bar("a", 50, "50"), Bar("b", 100, "100", target=200)))
    drawn = draw(chart)
    assert 'width="65.0"' in drawn
    assert 'width="130.0"' in drawn
    assert drawn.count('class="target"') == 1
    assert draw(Chart("none", ())) == ""


def test_a_roofline_is_the_longer_of_two_times() -> None:
    h100 = DEVICES[0]
    bound = roofline(h100, "fp16", 990 * 10**6, 335 * 10**3)
    assert (bound.compute_us, bound.memory_us) == (pytest.approx(1.0), pytest.approx(0.1))
    assert bound.bound == "compute"
    assert roofline(h100, "fp32", 495 * 10**6, 0).compute_us == pytest.approx(3.0)
    assert roofline(h100, "bf16", 0, 10).bound == "memory"


def outcome(name: str, per: float, opcode: str, columns: int, kind: str = "loop") -> Outcome:
    loop = MainLoop(kind, int(per * 8), 8, opcode)  # type: ignore[arg-type]
    return Outcome(Key(name, 90), replace(GOOD, loop=loop), 1000, 1.0, columns)


BASELINES = (
    outcome("wide", 27.0, "HGMMA.64x256x16.F32", 256),
    outcome("long", 21.0, "HGMMA.64x128x16.F32", 128),
    outcome("best", 15.0, "HGMMA.64x128x16.F32", 128),
    outcome("tensor memory 128", 17.0, "UTCHMMA", 128),
    outcome("tensor memory 256", 31.0, "UTCHMMA", 256),
)


@pytest.mark.parametrize(
    ("mine", "baseline"),
    [
        (outcome("k", 16.5, "HGMMA.64x128x16.F32", 128), "best"),
        (outcome("k", 16.5, "HGMMA.64x128x16.F32.BF16", 128), "best"),
        (outcome("k", 28.0, "HGMMA.64x256x16.F32", 256), "wide"),
        (outcome("k", 32.0, "UTCHMMA", 256), "tensor memory 256"),
        (outcome("k", 32.0, "UTCHMMA", 64), None),
        (outcome("k", 3.0, "HMMA.16816.F32", 128), None),
        (outcome("k", 16.5, "HGMMA.64x128x16.F32", 128, "straight"), None),
    ],
)
def test_loops_are_compared_with_the_best_of_their_kind(
    mine: Outcome, baseline: str | None
) -> None:
    found = compare(mine, BASELINES)
    assert (found and found.baseline) == baseline
    if found:
        assert found.ratio == found.per_tensor_instruction / found.baseline_per_tensor_instruction


def test_keys_can_be_limited() -> None:
    keys = keys_of([90], ["dcgan-2", "linear"])
    names = [key.name for key in keys if not key.name.startswith("matmul")]
    assert set(names) >= {"dcgan-2", "linear"}
    assert all("dcgan-2" in name or "linear" in name for name in names)
    assert {key.architecture for key in keys} == {90}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--architectures", "75"], "architecture 75 is not one of 80, 86"),
        (["--architectures", "hopper"], "write numbers with commas"),
        (["--kernels", "nothing-like-it"], "no kernel has nothing-like-it in its name"),
        (["--compare", "absent.json"], "absent.json"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["-o", str(tmp_path / "report"), *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "report").exists()
