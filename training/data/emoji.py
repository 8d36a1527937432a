"""Google's Noto emoji 64x64 in colour, from the npm package `emoji-datasource-google`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from engine.core.errors import ArtifactError, OptionError
from training.data.dataset import ImageData
from training.data.fetch import Package, fetch
from training.data.files import read_images

PACKAGE = Package(
    client="npm",
    name="emoji-datasource-google",
    version="16.0.0",
    file="emoji-datasource-google-16.0.0.tgz",
    sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)
# The subcategories whose emoji are round yellow faces.
FACES = (
    "face-smiling",
    "face-affection",
    "face-tongue",
    "face-hand",
    "face-neutral-skeptical",
    "face-sleepy",
    "face-unwell",
    "face-hat",
    "face-glasses",
    "face-concerned",
)


def load(category: str = "faces") -> ImageData:
    """Emoji of the named categories or subcategories, on white; each subcategory is a class.

    `category` is a comma-separated list of names of the package's emoji.json, 'faces' (the yellow
    ones) or 'all'. Skin-tone variants are left out. Raises OptionError for an unknown name.
    """
    folder = fetch(PACKAGE)
    try:
        entries: list[dict[str, Any]] = json.loads((folder / "emoji.json").read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{folder}: cannot be read ({error}); delete the folder and start again"
        ) from error
    chosen = _choose(entries, category)
    names = sorted({entry["subcategory"] for entry in chosen})
    paths = [folder / "img" / "google" / "64" / entry["image"] for entry in chosen]
    read = read_images(paths, channels=3)
    labels = np.array([names.index(entry["subcategory"]) for entry in chosen], dtype=np.int64)
    return ImageData(
        name="emoji",
        images=read.images,
        labels=labels[read.kept],
        class_names=tuple(names),
        source=f"npm {PACKAGE.name}@{PACKAGE.version}: Noto emoji, {category}",
        licence="Apache-2.0",
        report=read.report,
    )


def _choose(entries: list[dict[str, Any]], category: str) -> list[dict[str, Any]]:
    known = {entry[key] for entry in entries for key in ("category", "subcategory")}
    wanted: set[str] = set()
    for name in filter(None, (part.strip() for part in category.split(","))):
        if name == "all":
            wanted |= known
        elif name == "faces":
            wanted |= set(FACES)
        elif name in known:
            wanted.add(name)
        else:
            raise OptionError(
                f"unknown emoji category {name!r}; known are faces, all, {', '.join(sorted(known))}"
            )
    if not wanted:
        raise OptionError("--emoji-category names no category; try 'faces'")
    chosen = [e for e in entries if wanted & {e["category"], e["subcategory"]}]
    return sorted(chosen, key=lambda entry: int(entry["sort_order"]))
