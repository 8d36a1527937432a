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
    arguments: Mapping[str, Any], chain: Chain, settings: Settings, *, dropout: bool
) -> tuple[str, ...]:
    """One line a subject: network, geometry, activations, batch norm, latent, condition."""
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
    ]
    eps = [record["eps"] for record in chain.records if record["op"] == "batch_norm"]
    if eps:
        lines.append(f"batch norm: eps {', '.join(f'{value:g}' for value in dict.fromkeys(eps))}")
    if dropout:
        lines.append("gaps: modules without weights behind activations were taken for dropout")
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
