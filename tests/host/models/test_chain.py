"""Networks from layer records."""

from __future__ import annotations

import json

import pytest
import torch

from engine.core.errors import OptionError
from engine.models.build import build
from engine.models.chain import ChainGenerator, layer

DECODER = [
    {"op": "linear", "inputs": 7, "outputs": 12, "bias": True},
    {"op": "leaky_relu", "slope": 0.1},
    {"op": "reshape", "shape": [3, 2, 2]},
    {"op": "upsample", "scale": 2},
    {"op": "conv", "inputs": 3, "outputs": 1, "kernel": 3, "padding": 1},
    {"op": "tanh"},
]


@pytest.mark.parametrize(
    ("combine", "embedding", "latent"),
    [("last", 0, 4), ("first", 0, 4), ("last", 5, 2), ("first", 5, 2), ("multiply", 7, 7)],
)
def test_labels_join_the_latent(combine: str, embedding: int, latent: int) -> None:
    torch.manual_seed(0)
    model = ChainGenerator(latent, DECODER, (-1, 1), 3, embedding, combine).eval()
    z, labels = torch.randn(2, latent), torch.tensor([2, 0])
    condition = model.decoder.embedding.weight[labels] if embedding else torch.eye(3)[labels]
    joined = {
        "last": lambda: torch.cat([z, condition], 1),
        "first": lambda: torch.cat([condition, z], 1),
        "multiply": lambda: z * condition,
    }[combine]()
    with torch.no_grad():
        assert torch.equal(model(z, labels), model.decoder.layers(joined))
    with pytest.raises(OptionError, match="has 3 classes and needs labels"):
        model(z)


def test_records_are_json() -> None:
    arguments = json.loads(json.dumps({"latent": 7, "decoder": DECODER, "output_range": [0, 1]}))
    model = build("chain", arguments)
    assert model(torch.randn(2, 7)).shape == (2, 1, 4, 4)
    assert model.output_range == (0, 1)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"op": "attention"}, "unknown layer 'attention'; known are linear"),
        ({"op": "linear", "inputs": 3}, "cannot be made"),
    ],
    ids=["unknown", "incomplete"],
)
def test_bad_records(record: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        layer(record)
