"""Checkpoint, ONNX or .gen file -> bundle on the command line: `python -m export.bundle ckpt.pt`.

A bundle holds the generator in several forms: ONNX, `.gen`, TensorRT plans for named GPUs, compiled
kernels. `Engine("NAME.bundle")` opens the best that runs where it is.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from engine import zoo
from engine.backends.base import installed_version
from engine.core.artifacts import Artifact, SourceFile, open_artifact
from engine.core.bundle import LeftOut, Part
from engine.core.errors import EngineError, OptionError
from engine.core.options import LoadOptions
from engine.core.version import __version__
from export.bundle_file import write_bundle
from export.bundle_parts import HERE, PartOptions, Told, check_precisions, make_parts
from export.choices import PRECISIONS
from export.command import load_options, user_errors
from export.plan_options import BatchProfile, parse_targets
from export.report import assumed_lines

_TOOLS = ("numpy", "onnx", "onnxruntime", "torch")


@dataclass(frozen=True, slots=True)
class BundleReport:
    """A bundle that was written."""

    path: Path
    parts: tuple[Part, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the user."""
        size = self.path.stat().st_size
        return [
            *assumed_lines(self.notes),
            f"wrote     {self.path} ({size / 1e6:.2f} MB, {len(self.parts)} parts)",
            *(f"part      {part.described()}" for part in self.parts),
            *(f"left out  {item.name}: {item.reason}" for item in self.left_out),
        ]


def export_bundle(
    artifact: Artifact,
    out: str | Path,
    options: PartOptions | None = None,
    told: Told = lambda line: None,
) -> BundleReport:
    """Make all parts of a model and write OUT.bundle in one step.

    Each part is checked by its own exporter. Raises what these raise, ExportError, OutputError.
    """
    options, out = options or PartOptions(), Path(out)
    with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
        try:
            parts = make_parts(artifact, Path(folder), options, told)
        except EngineError as error:
            raise type(error)(str(error).replace(f"{folder}/", "")) from error
        versions = {"generator-engine": __version__}
        versions |= {name: found for name in _TOOLS if (found := installed_version(name))}
        source = SourceFile(artifact.name, artifact.sha256)
        write_bundle(out, parts.spec, source, versions, parts.made, parts.left_out)
    return BundleReport(
        out, tuple(item.part for item in parts.made), tuple(parts.left_out), parts.notes
    )


@click.command()
@click.argument("model", metavar="CKPT|MODEL.onnx|MODEL.gen")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: NAME.bundle")
@load_options
@click.option(
    "--precision",
    metavar="P,P",
    default="fp32",
    show_default=True,
    help=f"Of ONNX files and plans: {', '.join(PRECISIONS)}.",
)
@click.option(
    "--target", metavar="SM,SM", help=f"A TensorRT plan for each: sm89,sm120, portable, {HERE}."
)
@click.option(
    "--batch", metavar="MIN:OPT:MAX", default="1:32:256", show_default=True, help="Of the plans."
)
@click.option("--kernels", metavar="SM,SM", help="Compile the fused kernels for these GPUs.")
@user_errors
def main(
    model: str,
    out: Path | None,
    options: LoadOptions,
    precision: str,
    target: str | None,
    batch: str,
    kernels: str | None,
) -> None:
    """Put a generator in all forms into one checked file, NAME.bundle."""
    path = zoo.resolve(model)
    out = out or path.with_suffix(".bundle")
    if path.parent == Path(zoo.__file__).parent and out.parent == path.parent:
        out = Path(out.name)
    if out.suffix != ".bundle":
        raise OptionError(f"{out}: call a bundle NAME.bundle, so that it can be opened")
    asked = PartOptions(
        precisions=check_precisions(precision.split(","), PRECISIONS),
        targets=_targets(target),
        kernels=_kernels(kernels),
        batch=BatchProfile.parse(batch),
    )
    artifact = open_artifact(path, options)
    report = export_bundle(
        artifact, out, asked, lambda line: click.echo(f"making {line}", err=True)
    )
    for line in report.lines():
        click.echo(line)


def _targets(text: str | None) -> tuple[str, ...]:
    names = () if text is None else tuple(dict.fromkeys(text.lower().split(",")))
    for name in names:
        if name != HERE:
            parse_targets(name)
    return names


def _kernels(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    from export.kernels import parse_kernel_targets

    return tuple(parse_kernel_targets(text))


if __name__ == "__main__":
    main()
