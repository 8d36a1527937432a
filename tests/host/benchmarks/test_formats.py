"""The table of formats: measured on a shipped model, written, read back, shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.formats import forms
from benchmarks.formats.__main__ import command
from benchmarks.formats.results import Formats, Row, read, section
from engine.core.errors import ArtifactError, OptionError


def run(*arguments: str) -> None:
    command.main(list(arguments), standalone_mode=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one model in the forms that need no export of a graph."""
    out = tmp_path_factory.mktemp("formats") / "f.json"
    wanted = (".gen, torch", "ONNX, uint8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "FORMS", [form for form in forms.FORMS if form.name in wanted])
        patch.setattr(forms, "PLANS", {})
        patch.setattr(forms, "KERNEL_TARGETS", (90,))
        run("--model", "gan-mlp-digits", "-n", "4", "-o", str(out))
    return out


def test_what_is_measured(found: Path) -> None:
    rows = {row.form: row for row in read(found).rows}
    assert set(rows) == {"ONNX, uint8", ".gen, torch", "kernels"}
    error = rows[".gen, torch"].max_error
    assert error is not None
    assert error < 1e-4
    assert rows["ONNX, uint8"].max_error is None
    assert (rows["ONNX, uint8"].equal or 0) > 0.999
    assert rows["kernels"].built == ("sm90",)
    assert all(row.size_bytes for row in rows.values())


def test_the_table_is_held_against_the_readme(found: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# T\n<!-- formats:begin -->\n<!-- formats:end -->\n")
    run("--read", str(found), "--readme", str(readme))
    assert "| kernels | built |" in readme.read_text()
    assert "kernels: sm90." in readme.read_text()
    results = read(found)
    assert section(results) in readme.read_text()
    readme.write_text(readme.read_text().replace("sm90", "sm91"))
    with pytest.raises(OptionError, match="says another table"):
        run("--read", str(found), "--check", str(readme))


def test_cells(found: Path) -> None:
    machine = read(found).machine
    rows = (
        Row("a", "exact", max_error=0.0, mean_psnr_db=99.0, worst_psnr_db=99.0),
        Row("a", "near", max_error=3e-6, mean_psnr_db=99.0, worst_psnr_db=99.0),
        Row("a", "half", max_error=1e-2, mean_psnr_db=60.04, worst_psnr_db=50.0),
        Row("a", "plans", built=("sm80",), failed="sm75: no"),
        Row("b", "plans", built=("sm75", "sm80")),
        Row("a", "none", failed="it is not there"),
    )
    text = section(Formats(machine, 4, (), rows))
    for line in ("| exact | equal |", "| near | 3e-06 |", "| half | 60.0 / 50.0 dB |"):
        assert line in text
    assert "| plans | built, not for sm75 | built |" in text
    assert "| none | refused |  |" in text


def test_a_file_that_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("", "[]", "{}", '{"format": "generator-engine formats"}'):
        path.write_text(text)
        with pytest.raises(ArtifactError):
            read(path)
