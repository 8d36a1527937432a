"""What was read and what was assumed about a recognised network, as lines for the user."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from engine.core.recognition.layers import Chain, Record
from engine.core.recognition.style import Settings

_FAMILIES = {
    "dcgan": "DCGAN-like generator",
    "gan-mlp": "fully connected generator",
    "vae": "decoder of a variational autoencoder",
}


def assumed_lines(
    arguments: Mapping[str, Any],
    chain: Chain,
    settings: Settings,
    *,
    dropout: bool,
    ending_given: bool,
) -> tuple[str, ...]:
    """One line a subject: network, geometry, activations, batch norm, latent, condition.

    dropout: whether gaps were taken for it. ending_given: whether the user named the output
    activation.
    """
    hidden = settings.hidden_activation
    if hidden == "leaky_relu":
        hidden += f" {settings.slope:g}"
    low, high = settings.output_range()
    lines = [
        f"network: {_FAMILIES[arguments['family']]}, latent {arguments['latent']} -> "
        f"{list(chain.output)}",
        *_geometry(chain.records),
        f"activations: {hidden}, at the end {settings.output_activation} "
        f"(output range {low:g}:{high:g})",
        *_projection(chain.records),
    ]
    if not ending_given:
        other = "sigmoid" if settings.output_activation == "tanh" else "tanh"
        lines.append(
            f"output activation: {settings.output_activation} is an assumption that no statistics "
            f'can check; if it is another: --arch-args \'{{"output_activation": "{other}"}}\''
        )
    eps = [record["eps"] for record in chain.records if record["op"] == "batch_norm"]
    if eps:
        lines.append(f"batch norm: eps {', '.join(f'{value:g}' for value in dict.fromkeys(eps))}")
    if dropout:
        line = "gaps: modules without weights beside activations were taken for dropout"
        # The statistics of batch norms would show any other norm.
        norm = "; each may be a norm without weights (InstanceNorm, PixelNorm), then use --arch"
        lines.append(line if eps else line + norm)
    lines.append(f"latent: {settings.latent_distribution} distribution")
    if arguments["classes"]:
        what = (
            f"embedding of {arguments['embedding']} features"
            if "embedding" in arguments
            else "one-hot"
        )
        where = {"last": "behind z", "first": "in front of z", "multiply": "multiplied with z"}
        lines.append(
            f"condition: {arguments['classes']} classes as {what}, {where[arguments['combine']]}"
        )
    return tuple(lines)


def _projection(records: tuple[Record, ...]) -> list[str]:
    """Whether an activation runs between the last linear layer and the first convolution."""
    ops = [record["op"] for record in records]
    first = next((index for index, op in enumerate(ops) if op.startswith("conv")), 0)
    linear = [index for index, op in enumerate(ops[:first]) if op == "linear"]
    if not linear:
        return []
    passive = ("reshape", "batch_norm", "upsample")
    active = next((op for op in ops[linear[-1] + 1 : first] if op not in passive), None)
    remedy = '--arch-args \'{"projection_activation": ' + ("false" if active else "true") + "}'"
    return [f"projection: {active or 'no activation'} follows it; if that is wrong: {remedy}"]


def _geometry(records: tuple[Record, ...]) -> list[str]:
    described = []
    upsample = ""
    for record in records:
        if record["op"] == "upsample":
            upsample = f"{record.get('mode', 'nearest')} upsampling by 2, "
        if record["op"] in ("conv", "conv_transpose"):
            described.append(upsample + _one(record))
            upsample = ""
    runs = [(text, len(list(run))) for text, run in groupby(described)]
    parts = [text if count == 1 else f"{count} x ({text})" for text, count in runs]
    return [f"geometry: {'; then '.join(parts)}"] if parts else []


def _one(record: Record) -> str:
    name = "transposed convolution" if record["op"] == "conv_transpose" else "convolution"
    text = f"{name} kernel {record['kernel']} stride {record['stride']} padding {record['padding']}"
    if record.get("output_padding"):
        text += f" output padding {record['output_padding']}"
    return text
