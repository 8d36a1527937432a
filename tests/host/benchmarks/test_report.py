"""What is shown is what the results say: the README's section, the tables, the page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.report import PAGE, command
from benchmarks.reporting import tables, words
from benchmarks.reporting.bundle import bundles
from benchmarks.reporting.layer_chart import layer_chart
from benchmarks.reporting.readme import section, spliced
from benchmarks.reporting.roofline import roofline
from benchmarks.reporting.stacks import stacks
from benchmarks.result_files import write
from benchmarks.results import Case, Contestant, Results
from engine.core.errors import OptionError
from tests.cases.benchmark_results import case, results
from training.commands import run_command

SKIPPED = Case("model", "vae-digits", "", 64, "bf16", "uint8", device="cuda", skipped="no GPU")

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"


def everything() -> Results:
    """A model in two precisions, a layer, all stages, a yardstick, and cases left out."""
    face, again = case(0), case(1, precision="fp32", batch=64, output="float32")
    failed = Contestant("tensorrt", "peer", "", not_measured="no GPU")
    staged = [
        case(seed, kind="stage", stage=stage, matmul=None)
        for seed, stage in enumerate(("build", "first sample", "steady state", "encode"), 2)
    ]
    cold = case(9, kind="stage", stage="cold process", batch=32)
    numpy = replace(cold.contestants[-1], name="import numpy", role="yardstick")
    return results(
        replace(face, contestants=(*face.contestants, failed)),
        again,
        case(8, kind="layer", name="<layer> & 1", output="float32"),
        *staged,
        replace(cold, contestants=(cold.contestants[0], numpy)),
        SKIPPED,
    )


def test_section_quotes_the_paired_ratio_beside_the_image_cost() -> None:
    text = section(bundles([everything()]))
    (row,) = [line for line in text.splitlines() if line.startswith("| face-dcgan | 1,024 | bf16")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert re.fullmatch(r"native [\d,]+", cells[3])
    assert re.fullmatch(r"compile [\d,]+", cells[4])
    ratio = float(cells[5].split()[0])
    assert ratio == pytest.approx(3.3, rel=0.1)
    assert cells[7:] == ["49.5 / 41.2", "not measured"]
    assert "Synthetic CPU, 2 cores" in text
    assert "13 interleaved rounds" in text
    assert "Layer suite, bf16, 1 transposed convolutions" in text
    assert "x the time of import numpy |" in text
    assert "tensorrt (1): no GPU" in text
    assert "all, on cuda (1): no GPU" in text


def test_readme_is_written_between_its_markers_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme, file = tmp_path / "README.md", tmp_path / "r.json"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nMore.\n")
    write(file, everything())
    assert invoke(file, "--check", readme) == 2
    shown = capsys.readouterr().err
    assert "-old" in shown
    assert "+| face-dcgan | 1,024 | bf16" in shown
    assert "error: " in shown
    assert readme.read_text().count("old") == 1
    assert invoke(file, "--readme", readme) == 0
    assert invoke(file, "--check", readme) == 0
    text = readme.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nMore.\n")
    write(file, results(case(0, ours=1.1)))
    assert invoke(file, "--check", readme) == 2


@pytest.mark.parametrize(
    "text",
    ["no markers", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}{END}"],
    ids=["none", "no-end", "turned", "twice"],
)
def test_a_readme_without_its_markers_is_left_alone(text: str) -> None:
    with pytest.raises(OptionError, match="needs one line"):
        spliced(text, "section")


def test_files_of_one_machine_are_joined_and_others_kept_apart() -> None:
    a, b = results(case(0)), results(case(1, batch=64))
    (joined,) = bundles([a, b])
    assert len(joined.cases) == 2
    other = replace(b, machine=replace(b.machine, cpu="Another CPU"))
    assert [bundle.machine.cpu for bundle in bundles([a, other])] == [
        "Synthetic CPU",
        "Another CPU",
    ]
    with pytest.raises(OptionError, match="two of the files hold face-dcgan"):
        bundles([a, a])


def test_every_table_has_speed_beside_cost() -> None:
    bundle = bundles([everything()])[0]
    models = tables.contestants(bundle.of("model"))
    assert {"samples/s", "x best peer", "PSNR dB, mean / worst", "KID change"} <= set(models.head)
    assert [models.rows[row][3] for row in models.ours] == ["native", "native"]
    assert {"time", "PSNR dB, mean / worst"} <= set(tables.stages(bundle.of("stage")).head)
    assert {"x best peer", "error"} <= set(tables.layers(bundle.of("layer")).head)
    for table in (models, tables.layers(bundle.of("layer")), tables.settings(bundle)):
        assert {len(row) for row in table.rows} == {len(table.head)}
    sweeps = {row[-1] for row in models.rows}
    assert sweeps == {"32: 900, 64: 1,000"}


def test_figures_in_words() -> None:
    assert [words.number(value) for value in (1234.5, 45.678, 0.012345, 5e-5, 0.0)] == [
        "1,230",
        "45.7",
        "0.0123",
        "5.0e-05",
        "0",
    ]
    assert [words.duration(value) for value in (1.234, 0.0456, 7.8e-5, 1e-8)] == [
        "1.23 s",
        "45.6 ms",
        "78.0 µs",
        "10.0 ns",
    ]


def test_page_stands_alone(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    write(tmp_path / "r.json", everything())
    assert invoke(tmp_path / "r.json", "-o", tmp_path / "page") == 0
    text = (tmp_path / "page" / PAGE).read_text()
    seen = Elements()
    seen.feed(text)
    assert not seen.open
    assert not {"script", "link", "img", "iframe"} & seen.names
    assert not [url for url in seen.urls if not url.startswith("#")]
    # Bars to uint8 and to float32, roofline, layers, stages.
    assert text.count("<svg ") == 5
    assert "&lt;layer&gt; &amp; 1" in text
    assert "<layer>" not in text
    assert "Not measured, and why" in text


def test_a_plot_is_the_same_bytes_each_time() -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    one = [case(8, kind="layer", output="float32")]
    assert layer_chart(one) == layer_chart(one)
    assert layer_chart([case(0, levels={"native": 0.1})]) is None
    assert roofline([case(0, flop_per_sample=0.0)]) is None
    assert stacks([]) is None


def test_page_of_nothing_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    write(tmp_path / "r.json", results(SKIPPED))
    assert invoke(tmp_path / "r.json", "-o", tmp_path / "page") == 0
    assert "no GPU" in (tmp_path / "page" / PAGE).read_text()


def test_nothing_to_do_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(tmp_path / "r.json") == 2
    assert capsys.readouterr().err.startswith("error: nothing to do")


class Elements(HTMLParser):
    """Names of all elements, what they refer to, and which were never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.urls: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "meta":
            assert self.open.pop() == tag


def invoke(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["report", *map(str, arguments)])
        try:
            run_command(command)
        except SystemExit as left:
            return int(left.code or 0)
    return 0
