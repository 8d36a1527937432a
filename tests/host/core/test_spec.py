"""GeneratorSpec: round trip, versions, and refusals."""

from __future__ import annotations

import json

import pytest

from engine.core.errors import ArtifactError
from engine.core.spec import Condition, GeneratorSpec, Noise, Output, Provenance

FULL = GeneratorSpec(
    name="x",
    family="vae",
    latent=Noise((3, 2), "uniform", "noise"),
    output=Output.image((3, 8, 8), (0.0, 1.0)),
    noise=(Noise((4,), name="layer 0"),),
    condition=Condition(names=("cat", "Hündchen")),
    entry_points=("decoder", "encoder"),
    provenance=Provenance("d", "MIT", "make it", {"kid": 0.1}),
)


def test_round_trip() -> None:
    assert GeneratorSpec.from_json(FULL.to_json()) == FULL
    assert GeneratorSpec.from_json(FULL.to_json(indent=2)) == FULL
    assert FULL.output.channels == "rgb"
    assert FULL.classes == ("cat", "Hündchen")


def damaged(**changes: object) -> str:
    return json.dumps({**FULL.to_dict(), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "a spec must be a JSON object"),
        (damaged(version=99), "no generator spec of version 1 .its version is 99"),
        (damaged(surprise=1), "surprise"),
        (json.dumps({"version": 1, "name": "x"}), "lacks the field 'family'"),
        (damaged(latent="x"), "noise must be a JSON object, not 'x'"),
        (damaged(condition=[1]), "condition must be a JSON object"),
        (damaged(provenance=None), "provenance must be a JSON object"),
        (damaged(latent={"shape": 5}), r"latent: shape: 5 is not of the type tuple.int"),
        (damaged(output={"shape": [3, 4], "layout": "CT"}), "an image must be .channels, height"),
        (damaged(name=5), "name: 5 is not of the type"),
        (damaged(latent={"shape": [True]}), "latent: shape: True is not of the type"),
        (damaged(entry_points="decoder"), "entry_points: 'decoder' is not of the type tuple"),
        (damaged(inferred="no"), "inferred: 'no' is not of the type"),
        (damaged(condition={"names": "ab"}), "condition: names: 'ab' is not of the type tuple"),
        (damaged(output={"shape": [1, 2, 2], "range": ["a", "b"]}), "range: 'a' is no number"),
        (damaged(output={"shape": [1, 2, 2], "range": [1.0]}), "must have 2 elements"),
        (damaged(provenance={"metrics": {"kid": "low"}}), "metrics: 'low' is no number"),
        (damaged(modality="smell"), "modality: 'smell' is unknown; known are image"),
        (damaged(entry_points=["encoder"]), "needs the entry point 'decoder'"),
        (damaged(latent={"shape": [0]}), "every dimension must be a positive integer"),
        (damaged(output={"shape": [1, 2, 2], "range": [1.0, 0.0]}), "finite, rising"),
        (damaged(condition={"kind": "classes", "names": []}), "at least one class name"),
        (damaged(condition={"kind": "classes", "names": ["a", "a"]}), "class names repeat"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=rf"^a\.json: .*{message}"):
        GeneratorSpec.from_json(text, "a.json")
