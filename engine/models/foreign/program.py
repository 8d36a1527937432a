"""torch.export programs (`.pt2`): a graph with its weights, without the network's Python code."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.core.errors import ArtifactError, OptionError
from engine.core.likely import with_given
from engine.core.options import LoadOptions, refuse_options
from engine.core.spec import GeneratorSpec, Noise
from engine.models.foreign.program_archive import checked_archive
from engine.models.foreign.wrap import Program
from engine.models.infer import First, first_line, infer_spec, measure, probe
from engine.models.lift import lifted, lifted_notes
from engine.models.loaded import LoadedGenerator, check_finite


def load_program(path: Path, options: LoadOptions) -> LoadedGenerator:
    """The generator in a `.pt2` file: inputs z [B, ...] (, labels [B] int64).

    What is executed: the graph's operators, by torch.export's own interpreter; torch reads the file
    only as `program_archive` lets it through. Raises ArtifactError for what could run other code,
    for a damaged file and for a program with a fixed batch.
    """
    refuse_options(
        options, path, "a torch.export program holds its graph", ("classes", "output_range")
    )
    archive, spec_text = checked_archive(path)
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        exported = torch.export.load(archive)
        # Guards are compiled from text in the file.
        module = Program(exported.module(check_guards=False))
    # torch.export raises whatever its many readers raise.
    except Exception as error:
        raise ArtifactError(f"{path}: not a torch.export program: {first_line(error)}") from error
    finally:
        logging.disable(previous)
    check_finite(dict(exported.state_dict), path)
    if spec_text is not None:
        return _described(path, module, spec_text, options)
    inputs = _inputs(exported)
    latent, classes = _latent(path, inputs, options)
    decoder, noise = lifted(module.eval(), lambda batch: probe(latent, classes, batch))
    spec = infer_spec(path, "program", decoder, latent, classes, options.output_range, noise)
    measure(path, decoder, probe(latent, classes, 3, noise=noise))
    spec, given = with_given(spec, ["input"])
    assumed = () if options.output_range else ("output range: -1:1 was assumed (--output-range)",)
    return LoadedGenerator(
        spec, {"decoder": decoder}, "program", {}, lifted_notes(noise) + given + assumed
    )


def _described(path: Path, module: Program, text: str, options: LoadOptions) -> LoadedGenerator:
    """A program of this project, with the spec that it carries. Raises ArtifactError."""
    refuse_options(options, path, "the file describes itself")
    spec = GeneratorSpec.from_json(text, path)
    sampled = First(module) if spec.further else module
    shape = measure(path, sampled, probe(spec.latent, len(spec.classes), 3, noise=spec.noise))
    if shape != spec.output.shape:
        raise ArtifactError(
            f"{path}: the program gives samples of shape {list(shape)}, its spec says "
            f"{list(spec.output.shape)}; export it again"
        )
    return LoadedGenerator(spec, {"decoder": module.eval()}, "program", {})


def _inputs(exported: Any) -> list[Tensor]:
    """The example values that the exporter recorded for the user's inputs, in order."""
    names = set(exported.graph_signature.user_inputs)
    return [
        node.meta["val"]
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in names
    ]


def _latent(path: Path, inputs: list[Tensor], options: LoadOptions) -> tuple[Noise, int]:
    kinds = [tensor.is_floating_point() for tensor in inputs]
    if kinds not in ([True], [True, False]) or inputs[0].ndim < 2:
        shapes = ", ".join(f"{tensor.dtype} {list(tensor.shape)}" for tensor in inputs)
        raise ArtifactError(
            f"{path}: a generator takes z [B, ...] and at most labels [B] int64; "
            f"this program takes {shapes}"
        )
    shape = inputs[0].shape[1:]
    if not isinstance(inputs[0].shape[0], torch.SymInt):
        raise ArtifactError(
            f"{path}: exported for a fixed batch of {inputs[0].shape[0]}; export it again with "
            'dynamic_shapes=({0: torch.export.Dim("batch")},)'
        )
    if any(isinstance(size, torch.SymInt) for size in shape):
        raise ArtifactError(f"{path}: only the batch may be dynamic, not {list(shape)}")
    if len(inputs) == 2 and not options.classes:
        raise OptionError(f"{path}: the program takes labels; say how many: --classes N")
    return Noise(shape=tuple(int(size) for size in shape)), (options.classes or 0) * (
        len(inputs) - 1
    )
