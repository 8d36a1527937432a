from __future__ import annotations

from pathlib import Path

import pytest

from engine.sinks import encoders
from engine.sinks.coding import plan_coding
from engine.sinks.whole import is_whole_image
from tests.cases.sinks import noise


@pytest.mark.parametrize("format", ["png", "jpg", "webp"])
def test_damage_is_found(tmp_path: Path, format: str) -> None:
    path, shape = tmp_path / "a", (16, 16, 3)
    data = encoders.choose(plan_coding(format), "pillow").encode(noise(*shape))
    path.write_bytes(data)
    assert is_whole_image(path, shape, format)
    assert not is_whole_image(path, (16, 8, 3), format)
    assert not is_whole_image(path, shape, "jpg" if format == "png" else "png")
    for length in (len(data) - 20, 40, 0):
        path.write_bytes(data[:length])
        assert not is_whole_image(path, shape, format)


def test_the_checksums_of_a_png_find_a_changed_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = bytearray(encoders.choose(plan_coding("png"), "pillow").encode(noise(16, 16, 1)))
    path.write_bytes(data)
    assert is_whole_image(path, (16, 16, 1), "png")
    assert not is_whole_image(path, (16, 16, 3), "png")
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert not is_whole_image(path, (16, 16, 1), "png")
