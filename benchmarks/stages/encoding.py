"""Encode: uint8 images in memory to the bytes of files in memory, JPEG and PNG a case each.

JPEG is of quality 90 with colour averaged over 2x2 pixels, PNG as each library is fastest. All
share one thread pool of the same size.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import described
from benchmarks.model_networks import model_inputs
from benchmarks.network import Array, Work
from benchmarks.parity import make_reference
from benchmarks.results import Case, Contestant, Role
from benchmarks.rounds import interleave
from benchmarks.stages.records import stage_record
from engine.backends.base import not_installed
from engine.sinks import encoders
from engine.sinks.coding import ImageFormat, plan_coding

if TYPE_CHECKING:
    from benchmarks.bench import Bench

Encode = Callable[[Array], bytes]

_SAMPLES = 1024
_QUALITY = 90
_FORMATS: tuple[ImageFormat, ...] = ("jpg", "png")
# Images handed to a thread at once: a task each would measure the pool.
_TOGETHER = 32


@dataclass(frozen=True)
class Library:
    """One that encodes, with its function or the reason why it cannot."""

    name: str
    role: Role
    encode: Encode | str
    settings: str = ""


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record a format. Raises ArtifactError where the model is not at hand."""
    network = bench.network(model)
    inputs = model_inputs(network, _SAMPLES)
    work = Work(network, inputs, "fp32", "uint8", bench.threads, bench.folder)
    images = make_reference(work).images
    if images is None:
        raise ValueError(f"{model} makes no images")
    return tuple(_of_format(bench, model, form, images) for form in _FORMATS)


def _of_format(bench: Bench, model: str, format: ImageFormat, images: Array) -> Case:
    coded = f"quality {_QUALITY}, 4:2:0" if format == "jpg" else "without loss"
    runs: dict[str, Callable[[], object]] = {}
    reasons: dict[str, str | None] = {}
    libraries = tuple(_libraries(format))
    with ThreadPoolExecutor(bench.threads) as pool:
        for one in libraries:
            encode = one.encode
            reasons[one.name] = encode if isinstance(encode, str) else _wrong(encode, images)
            if reasons[one.name] is None and not isinstance(encode, str):
                runs[one.name] = _in_threads(pool, encode, images)
        for run in runs.values():
            run()
        seconds = interleave(runs, bench.preset.rounds)
    contestants = tuple(
        Contestant(
            one.name,
            one.role,
            f"{one.settings}{coded}, {bench.threads} threads",
            seconds.get(one.name, ()),
            not_measured=reasons[one.name],
        )
        for one in libraries
    )
    return stage_record(model, "encode", len(images), form=format, contestants=contestants)


def _libraries(format: ImageFormat) -> Iterator[Library]:
    chosen = encoders.choose(plan_coding(format, _QUALITY if format == "jpg" else None))
    yield Library("engine.sinks", "ours", chosen.encode, f"{chosen.name}, ")
    for name, module, encode in _PEERS[format]:
        yield Library(name, "peer", not_installed(module, "bench") or encode)


def _in_threads(pool: ThreadPoolExecutor, encode: Encode, images: Array) -> Callable[[], object]:
    groups = [images[first : first + _TOGETHER] for first in range(0, len(images), _TOGETHER)]

    def encode_group(group: Array) -> int:
        return sum(len(encode(image)) for image in group)

    return lambda: sum(pool.map(encode_group, groups))


def _wrong(encode: Encode, images: Array) -> str | None:
    """Why an encoder's first file is not the picture, or None."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encode(images[0]))) as file:
            read = np.asarray(file).reshape(images[0].shape).astype(np.float64)
    # Whatever a library raises is the reason why it has no time.
    except Exception as error:
        return described(error)
    error = np.abs(read - images[0]).mean()
    return None if error < 8 else f"wrong result: {error:.1f} steps from the picture"


def _pillow(format: str, **options: object) -> Encode:
    def encode(image: Array) -> bytes:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(
            file, format, **options
        )
        return file.getvalue()

    return encode


def _opencv(format: str) -> Encode:
    def encode(image: Array) -> bytes:
        import cv2

        options = {
            ".jpg": [
                cv2.IMWRITE_JPEG_QUALITY,
                _QUALITY,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
            ],
            ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
        }
        turned = image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        return bytes(cv2.imencode(format, turned, options[format])[1])

    return encode


def _simplejpeg(image: Array) -> bytes:
    import simplejpeg

    colours = "GRAY" if image.shape[2] == 1 else "RGB"
    made: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), _QUALITY, colours, "420", fastdct=True
    )
    return made


_PEERS: dict[str, tuple[tuple[str, str, Encode], ...]] = {
    "jpg": (
        ("Pillow", "PIL", _pillow("JPEG", quality=_QUALITY, subsampling="4:2:0")),
        ("OpenCV", "cv2", _opencv(".jpg")),
        ("simplejpeg", "simplejpeg", _simplejpeg),
    ),
    "png": (
        ("Pillow", "PIL", _pillow("PNG", compress_level=1)),
        ("OpenCV", "cv2", _opencv(".png")),
    ),
}
