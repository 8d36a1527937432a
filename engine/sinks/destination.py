"""Where samples go and in what form: a sheet, a folder of images, arrays or shards."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from engine.core.errors import OptionError
from engine.core.hints import nearest
from engine.sinks.coding import IMAGE_FORMATS, Coding, ImageFormat, plan_coding
from engine.sinks.space import check_names

Format = Literal["sheet", "pngs", "jpgs", "webps", "npy", "npz", "npy-shards", "webdataset"]
FORMATS: tuple[Format, ...] = get_args(Format)

IMAGE_FOLDERS: Mapping[Format, ImageFormat] = {"pngs": "png", "jpgs": "jpg", "webps": "webp"}
SHARDED: tuple[Format, ...] = ("npy-shards", "webdataset")
# Folders, which a run that was stopped can continue.
FOLDERS: tuple[Format, ...] = (*IMAGE_FOLDERS, *SHARDED)
# What a member of a WebDataset archive can be.
MEMBERS = (*IMAGE_FORMATS, "npy")

_SUFFIXES: dict[str, Format] = {".png": "sheet", ".npy": "npy", ".npz": "npz", "": "pngs"}
_FORMAT_OF_FILES = {".jpg": "jpgs", ".jpeg": "jpgs", ".webp": "webps", ".tar": "webdataset"}


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are made, where the format leaves a choice; None and "auto" leave it open.

    member: of a WebDataset archive: jpg, png, webp or npy. quality: 1 to 100, of JPEG and lossy
    WebP. lossless: of WebP. shard_size: samples a shard. encoder: a name of
    `engine.sinks.encoders`. threads: that encode.
    """

    member: str | None = None
    quality: int | None = None
    lossless: bool = False
    shard_size: int | None = None
    encoder: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how samples are written; grid (columns, rows) and resume as asked for."""

    path: Path
    format: Format
    grid: tuple[int, int] | None = None
    resume: bool = False
    files: FileOptions = FileOptions()

    def or_grid(self, columns: int, rows: int) -> Destination:
        """With this grid, if it is a sheet for which none was asked."""
        if self.format != "sheet" or self.grid is not None:
            return self
        return dataclasses.replace(self, grid=(columns, rows))

    def coding(self, modality: str = "image") -> Coding | None:
        """How single images are coded; None where none are. Raises OptionError.

        Members of archives are JPEG by default, and arrays where samples are no images.
        """
        files = self.files
        if self.format in IMAGE_FOLDERS:
            return plan_coding(IMAGE_FOLDERS[self.format], files.quality, files.lossless)
        if self.format != "webdataset":
            return None
        member = files.member or ("jpg" if modality == "image" else "npy")
        if member != "npy":
            return plan_coding(member, files.quality, files.lossless)
        if files.quality is not None or files.lossless:
            raise OptionError(
                "quality and lossless are for images; members that are .npy have none"
            )
        return None


def destination(
    out: str,
    format: str | None = None,
    grid: tuple[int, int] | None = None,
    resume: bool = False,
    files: FileOptions | None = None,
) -> Destination:
    """Read what was asked for. Raises OptionError where it does not go together.

    A name that ends in a separator is a folder, whatever stands before. Raises OutputError for
    names that the file system does not take.
    """
    if not out.strip():
        raise OptionError(
            "the name of the output is empty; give a .png, .npy or .npz file, or a folder"
        )
    if "\0" in out:
        raise OptionError(f"the name of the output, {out!r}, holds a zero; no file can have it")
    path = Path(out)
    check_names(path)
    is_folder = path.is_dir() or out.endswith(_separators())
    if format is not None:
        if format not in FORMATS:
            raise OptionError(f"format {format!r} is unknown; {nearest(format, FORMATS)}")
        chosen = format
    elif is_folder:
        chosen = "pngs"
    else:
        chosen = _by_name(path)
    if chosen not in FOLDERS and is_folder:
        raise OptionError(f"{out} is a folder; format {chosen} writes one file")
    if grid is not None and chosen != "sheet":
        raise OptionError(f"a grid is for a sheet, and {out} is written as {chosen}; leave it out")
    if resume and chosen not in FOLDERS:
        raise OptionError(
            f"only folders are resumed ({', '.join(FOLDERS)}), and {out} is written as {chosen}"
        )
    found = Destination(path, chosen, grid, resume, files or FileOptions())
    _check_files(found)
    return found


def _check_files(to: Destination) -> None:
    files = to.files
    if files.member is not None and files.member not in MEMBERS:
        raise OptionError(f"member {files.member!r} is unknown; {nearest(files.member, MEMBERS)}")
    for name, given, valid in (
        ("a member", files.member is not None, ("webdataset",)),
        ("a shard size", files.shard_size is not None, SHARDED),
        ("a quality", files.quality is not None, (*IMAGE_FOLDERS, "webdataset")),
        ("lossless", files.lossless, (*IMAGE_FOLDERS, "webdataset")),
        ("an encoder", files.encoder != "auto", (*IMAGE_FOLDERS, "webdataset")),
    ):
        if given and to.format not in valid:
            raise OptionError(
                f"{name} is for {', '.join(valid)}, and {to.path} is written as {to.format}; "
                "leave it out"
            )
    if files.shard_size is not None and files.shard_size < 1:
        raise OptionError(f"shard size {files.shard_size} must be at least 1 sample, like 10000")
    if files.threads is not None and not 1 <= files.threads <= 64:
        raise OptionError(f"{files.threads} encoding threads are out of range; give 1 to 64")
    to.coding()


def _by_name(path: Path) -> Format:
    if path.name.lower() in _SUFFIXES:
        raise OptionError(
            f"{path}: {path.name!r} is a suffix without a name; give one, like a{path.name}"
        )
    suffix = path.suffix.lower()
    chosen = _SUFFIXES.get(suffix)
    if chosen is not None:
        return chosen
    if suffix in _FORMAT_OF_FILES:
        raise OptionError(
            f"{path}: {suffix} files come in folders; give {path.stem}{os.sep} and the format "
            f"{_FORMAT_OF_FILES[suffix]}"
        )
    raise OptionError(
        f"{path}: {path.suffix!r} is unknown; give .png, .npy, .npz or a folder ({path}{os.sep}), "
        f"or a format: {', '.join(FORMATS)}"
    )


def _separators() -> tuple[str, ...]:
    return tuple(separator for separator in (os.sep, os.altsep) if separator)
