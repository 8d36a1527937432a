from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.sinks import encoders
from engine.sinks.coding import plan_coding
from engine.sinks.manifest import Manifest
from engine.sinks.shards import ShardFolder
from engine.sinks.webdataset import WebDataset, npy_encoder
from tests.cases import sinks

SHAPE = (6, 4, 3)
MANIFEST = sinks.MANIFEST.replace(n=150, shape=SHAPE, start=7, shard_size=70)
NAMES = [f"samples-{number:06d}.tar" for number in range(3)]
IMAGES = sinks.noise(157, *SHAPE)


def make(run: range) -> Iterator[np.ndarray]:
    for first in range(run.start, run.stop, 40):
        yield IMAGES[first : min(first + 40, run.stop)]


def labels(run: range) -> np.ndarray:
    return np.arange(run.start, run.stop) % 10


def archive(member: str = "png", labelled: bool = True) -> WebDataset:
    if member == "npy":
        return WebDataset("npy", npy_encoder(SHAPE, "uint8"), 8, labelled)
    return WebDataset(member, encoders.choose(plan_coding(member), "pillow").encode, 8, labelled)


def write(path: Path, format: WebDataset, classes: object = labels) -> Manifest:
    return ShardFolder(path, MANIFEST, format).write(make, classes)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as opened:
        return {item.name: opened.extractfile(item).read() for item in opened.getmembers()}


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def test_tarfile_and_pillow_read_every_sample(tmp_path: Path) -> None:
    written = write(tmp_path, archive())
    assert [(item.index, item.count) for item in written.files] == [(7, 70), (77, 70), (147, 10)]
    everything: dict[str, bytes] = {}
    for name in NAMES:
        everything |= members(tmp_path / name)
    assert len(everything) == 3 * 150
    for index in range(7, 157):
        key = f"{index:08d}"
        assert np.array_equal(pixels(everything[f"{key}.png"]), IMAGES[index])
        assert json.loads(everything[f"{key}.json"]) == {"index": index, "label": index % 10}
        assert everything[f"{key}.cls"] == b"%d" % (index % 10)


def test_models_without_classes_have_no_class_members(tmp_path: Path) -> None:
    write(tmp_path, archive("npy", labelled=False), None)
    found = members(tmp_path / NAMES[2])
    assert list(found)[:3] == ["00000147.npy", "00000147.json", "00000148.npy"]
    assert json.loads(found["00000150.json"]) == {"index": 150}
    assert np.array_equal(np.load(io.BytesIO(found["00000150.npy"])), IMAGES[150])


@pytest.mark.parametrize("member", ["jpg", "webp"])
def test_lossy_members_are_whole_images(tmp_path: Path, member: str) -> None:
    write(tmp_path, archive(member))
    found = members(tmp_path / NAMES[0])
    assert pixels(found[f"00000007.{member}"]).shape == SHAPE


def test_the_offset_index_leads_to_every_member(tmp_path: Path) -> None:
    write(tmp_path, archive())
    for name, count in zip(NAMES, (70, 70, 10), strict=True):
        data, found = (tmp_path / name).read_bytes(), members(tmp_path / name)
        head, *lines = (tmp_path / name).with_suffix(".idx").read_text().splitlines()
        assert head == f"v1.2 {count}"
        assert len(lines) == count
        seen = {}
        for line in lines:
            words = line.split()
            for extension, offset, size, member in zip(*[iter(words)] * 4, strict=True):
                assert member.endswith(f".{extension}")
                seen[member] = data[int(offset) : int(offset) + int(size)]
        assert seen == found


def test_the_list_of_shards_is_what_wids_reads(tmp_path: Path) -> None:
    written = write(tmp_path, archive())
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["__kind__"], index["wids_version"]) == ("wids-shard-index-v1", 1)
    assert [shard["nsamples"] for shard in index["shardlist"]] == [70, 70, 10]
    for shard, record in zip(index["shardlist"], written.files, strict=True):
        assert (shard["url"], shard["sha256"]) == (record.name, record.sha256)
        assert shard["filesize"] == (tmp_path / record.name).stat().st_size


@pytest.mark.parametrize("threads", [1, 5])
def test_the_bytes_do_not_depend_on_the_threads(tmp_path: Path, threads: int) -> None:
    write(tmp_path / "a", archive())
    ShardFolder(tmp_path / "b", MANIFEST, archive()).write(make, labels, threads)
    for item in (tmp_path / "a").iterdir():
        assert (tmp_path / "b" / item.name).read_bytes() == item.read_bytes()


def test_a_lost_offset_index_is_no_loss_of_samples_and_comes_back(tmp_path: Path) -> None:
    write(tmp_path, archive())
    index = tmp_path / "samples-000001.idx"
    before = index.read_bytes()
    index.unlink()
    again = ShardFolder(tmp_path, MANIFEST, archive(), resume=True)
    assert again.kept == 80
    again.write(make, labels)
    assert index.read_bytes() == before


def test_webdataset_itself_reads_it(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="pip install webdataset")
    write(tmp_path, archive())
    urls = [str(tmp_path / name) for name in NAMES]
    samples = webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8")
    index = 7
    for index, sample in enumerate(samples, 7):
        assert sample["__key__"] == f"{index:08d}"
        assert np.array_equal(sample["png"], IMAGES[index])
        assert sample["cls"] == index % 10
        assert sample["json"]["index"] == index
    assert index == 156


def test_wids_itself_reads_it(tmp_path: Path) -> None:
    wids = pytest.importorskip("wids", reason="pip install wids")
    write(tmp_path, archive())
    samples = wids.ShardListDataset(str(tmp_path / "index.json"), cache_dir=str(tmp_path / "cache"))
    assert len(samples) == 150
    sample = samples[100]
    assert np.array_equal(np.asarray(sample[".png"]), IMAGES[107])
