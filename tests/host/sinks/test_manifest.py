from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.core.errors import ArtifactError
from engine.sinks.manifest import FileRecord, Manifest, read_manifest, sidecar, write_manifest

MANIFEST = Manifest(
    artifact="dcgan.onnx",
    sha256="ab" * 32,
    backend="onnxruntime",
    device="cpu",
    precision="fp32",
    batch_size=64,
    n=3,
    shape=(28, 28, 1),
    seed=2**63,
    start=5,
    truncation=0.7,
    labels=(1, 0, 2),
    written_as="webdataset",
    coding={"member": "jpg", "quality": 90},
    encoder="pillow 13",
    shard_size=3,
    options={"classes": 10, "input_shape": [80, 20]},
    versions={"numpy": "2.0"},
    files=(FileRecord("samples-000000.tar", "cd" * 32, 5, 3),),
)


def test_json_round_trip() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_differences_name_the_settings_and_both_values() -> None:
    other = MANIFEST.replace(seed=1, labels="random", files=(), complete=False)
    assert MANIFEST.differences(other) == [
        f"seed: {2**63}, now 1",
        'labels: [1, 0, 2], now "random"',
    ]
    assert MANIFEST.differences(MANIFEST.replace(files=())) == []
    assert MANIFEST.differences(MANIFEST.replace(device="cuda", options={})) == [
        'device: "cpu", now "cuda"',
        'options: {"classes": 10, "input_shape": [80, 20]}, now {}',
    ]


@pytest.mark.parametrize(
    ("mine", "theirs", "told"),
    [
        (tuple(range(1000)), (*range(999), 7), "labels[999]: 999, now 7"),
        (tuple(range(1000)), tuple(range(1001)), "labels: 1000 values, now 1001 values"),
        ((0, 1), tuple(range(1000)), "labels: [0, 1], now 1000 values"),
        ("random", tuple(range(1000)), 'labels: "random", now 1000 values'),
    ],
    ids=["one label", "more labels", "few labels", "random"],
)
def test_of_long_lists_what_differs_is_told(mine: object, theirs: object, told: str) -> None:
    assert MANIFEST.replace(labels=mine).differences(MANIFEST.replace(labels=theirs)) == [told]


def test_of_long_records_what_differs_is_told_whole() -> None:
    versions = {"generator-engine": "1.0", "native": "3 (amx)", "numpy": "2.0", "native plan": "x"}
    plan = "measured: " + ", ".join(f"layer_{number} direct" for number in range(9))
    one = MANIFEST.replace(versions=versions)
    other = MANIFEST.replace(versions={**versions, "native plan": plan} | {"torch": "2.13"})
    assert one.differences(other) == [
        f'versions.native plan: "x", now "{plan}"',
        'versions.torch: null, now "2.13"',
    ]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "generator-manifest", "version": 2}', MANIFEST.to_json()[:-30]],
    ids=["empty", "list", "no fields", "no settings", "cut short"],
)
def test_damage_is_an_error(text: str) -> None:
    with pytest.raises(ArtifactError, match="manifest is"):
        Manifest.from_json(text)


def test_a_newer_version_is_refused() -> None:
    values = json.loads(MANIFEST.to_json()) | {"version": 3}
    with pytest.raises(ArtifactError, match="version 3"):
        Manifest.from_json(json.dumps(values))


def test_files(tmp_path: Path) -> None:
    path = sidecar(tmp_path / "a.npy")
    assert path.name == "a.npy.manifest.json"
    assert read_manifest(path) is None
    write_manifest(path, MANIFEST)
    assert read_manifest(path) == MANIFEST
    path.write_text("{")
    with pytest.raises(ArtifactError, match=r"a.npy.manifest.json: manifest is damaged"):
        read_manifest(path)
