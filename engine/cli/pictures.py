"""Image files and arrays, made to fit what a model takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from engine.core.errors import ArtifactError, OptionError
from engine.core.spec import Output
from engine.images import from_uint8

Images = npt.NDArray[np.float32]

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_pictures(paths: Sequence[Path], output: Output) -> Images:
    """Images of all files, [n, C, H, W] in the model's range.

    Image files are turned upright, cropped about the middle to the model's proportions, resized and
    converted, with a line on stderr that says so; transparency is laid on white. A .npy file holds
    images that fit already. Raises ArtifactError for a file that cannot be read.
    """
    parts = [
        _read_array(path, output) if path.suffix == ".npy" else _read_image(path, output)
        for path in paths
    ]
    return np.concatenate(parts)


def _read_image(path: Path, output: Output) -> Images:
    from PIL import Image, ImageOps, UnidentifiedImageError

    channels, height, width = output.shape
    if channels not in _MODES:
        raise OptionError(
            f"the model takes {channels} channels, and {path} is a picture; give .npy"
        )
    mode = _MODES[channels]
    try:
        with Image.open(path) as file:
            file.load()
            image: Any = ImageOps.exif_transpose(file)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ArtifactError(f"{path}: not a readable image: {error}") from error
    was = f"{image.width}x{image.height} {image.mode}"
    if mode != "RGBA" and image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert(mode)
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    now = f"{width}x{height} {mode}"
    if was != now:
        how = "converted" if was.startswith(f"{width}x{height} ") else "cropped and resized"
        click.echo(f"{path}: {was} {how} to {now} for the model", err=True)
    pixels = np.asarray(image, np.uint8).reshape(1, height, width, channels)
    return from_uint8(pixels, output.range)


def _read_array(path: Path, output: Output) -> Images:
    from engine.cli.decode import read_latents

    array = np.asarray(read_latents(path))
    channels, height, width = output.shape
    pixels = array.dtype == np.uint8
    wanted = (height, width, channels) if pixels else output.shape
    if array.ndim == len(wanted):
        array = array[None]
    if array.shape[1:] != wanted:
        kind = "uint8 images" if pixels else f"{array.dtype} images"
        raise OptionError(
            f"{path}: {kind} of shape {array.shape[1:]}; the model takes uint8 "
            f"{(height, width, channels)} or float {output.shape}"
        )
    if pixels:
        return from_uint8(array, output.range)
    return array.astype(np.float32)
