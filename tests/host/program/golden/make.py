"""Write the golden ONNX files of the torch that runs this: `python make.py FOLDER`.

Needs torch, onnx and onnxscript, and nothing of this project, so that any old torch can run it. The
networks are tiny and untrained; what counts is how the exporters write them.
"""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn import functional as F


class Decoder(nn.Module):
    """DCGAN: latents of 1x1 positions, batch norms, a last layer without bias."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(6, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.ConvTranspose2d(6, 4, 4, 2, 1),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.layers(z)


class Conditional(nn.Module):
    """Labels through an embedding, a linear layer reshaped to a map, an output padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(3, 4)
        self.project = nn.Linear(9, 6 * 2 * 3)
        self.norm = nn.BatchNorm2d(6)
        self.up = nn.ConvTranspose2d(6, 2, 3, 2, 1, output_padding=1)

    def forward(self, z, labels):
        x = self.project(torch.cat([z, self.embed(labels)], 1)).view(-1, 6, 2, 3)
        return torch.sigmoid(self.up(F.relu(self.norm(x))))


class Residual(nn.Module):
    """Weight norm, a residual connection, nearest upsampling before a convolution, SiLU."""

    def __init__(self):
        super().__init__()
        norm = nn.utils.weight_norm
        self.first = norm(nn.Conv2d(3, 4, 3, padding=1))
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.third = norm(nn.Conv2d(4, 2, 3, padding=1))

    def forward(self, x):
        x = F.silu(self.first(x))
        x = x + self.second(x)
        return self.third(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    """Two outputs from one map, flattened in channels-first order."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, 2, 1)
        self.norm = nn.BatchNorm2d(4)
        self.mean = nn.Linear(4 * 3 * 2, 3)
        self.logvar = nn.Linear(4 * 3 * 2, 3)

    def forward(self, images):
        x = F.leaky_relu(self.norm(self.conv(images)), 0.2).flatten(1)
        return self.mean(x), self.logvar(x)


class Text(nn.Module):
    """Tokens to logits by an embedding and a GRU, with its state in and out."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.cell = nn.GRU(4, 5, batch_first=True)
        self.out = nn.Linear(5, 7)

    def forward(self, tokens, state):
        x, state = self.cell(self.embed(tokens), state)
        return self.out(x), state


MODELS = {
    "decoder": (Decoder, {"z": torch.zeros(2, 6, 1, 1)}, ["images"]),
    "conditional": (
        Conditional,
        {"z": torch.zeros(2, 5), "labels": torch.zeros(2, dtype=torch.int64)},
        ["images"],
    ),
    "residual": (Residual, {"image": torch.zeros(2, 3, 4, 5)}, ["images"]),
    "encoder": (Encoder, {"images": torch.zeros(2, 1, 6, 4)}, ["mean", "logvar"]),
    "text": (
        Text,
        {"tokens": torch.zeros(2, 3, dtype=torch.int64), "state": torch.zeros(1, 2, 5)},
        ["logits", "last"],
    ),
}
BATCH_AXES = {"state": 1}


def main(folder):
    warnings.simplefilter("ignore")
    version = ".".join(torch.__version__.split("+")[0].split(".")[:2])
    for name, (kind, inputs, outputs) in MODELS.items():
        torch.manual_seed(3)
        model = kind().eval()
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.3, 0.3)
                nn.init.uniform_(part.running_var, 0.5, 2.0)
        for exporter in ("dynamo", "torchscript"):
            proto = export(model, inputs, outputs, exporter)
            strip(proto)
            target = Path(folder) / f"{name}-{exporter}-{version}.onnx"
            target.write_bytes(proto.SerializeToString())


def export(model, inputs, outputs, exporter):
    axes = {name: BATCH_AXES.get(name, 0) for name in inputs}
    if exporter == "dynamo":
        batch = torch.export.Dim("batch")
        shapes = tuple({axis: batch} for axis in axes.values())
        program = torch.onnx.export(
            model,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            verbose=False,
        )
        program.optimize()
        return program.model_proto
    file = io.BytesIO()
    torch.onnx.export(
        model,
        tuple(inputs.values()),
        file,
        dynamo=False,
        input_names=list(inputs),
        output_names=outputs,
        dynamic_axes={name: {axis: "batch"} for name, axis in axes.items()},
    )
    return onnx.load_from_string(file.getvalue())


def strip(message):
    """Clear doc strings and metadata, which hold paths of the machine."""
    for field, value in message.ListFields():
        if field.name in ("doc_string", "metadata_props"):
            message.ClearField(field.name)
        elif field.message_type is not None and field.name != "raw_data":
            for part in value if hasattr(value, "__len__") else (value,):
                strip(part)


if __name__ == "__main__":
    main(sys.argv[1])
