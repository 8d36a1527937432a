"""The packaged data sets, read from small stand-ins in the cache."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import ArtifactError, OptionError
from training.data import load
from training.data.digits import PACKAGE as DIGITS
from training.data.emoji import PACKAGE as EMOJI
from training.data.fetch import unpacked


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GENERATOR_ENGINE_CACHE", str(tmp_path))


@pytest.fixture
def digits():
    folder = unpacked(DIGITS) / "src" / "digits"
    folder.mkdir(parents=True)
    for digit in range(10):
        values = [digit / 10] * 784 * (digit + 1)
        (folder / f"{digit}.json").write_text(json.dumps({"data": values}))
    return folder


@pytest.fixture
def emoji():
    folder = unpacked(EMOJI)
    (folder / "img" / "google" / "64").mkdir(parents=True)
    entries = [
        ("grin", "Smileys & Emotion", "face-smiling", 2),
        ("sad", "Smileys & Emotion", "face-concerned", 1),
        ("heart", "Smileys & Emotion", "heart", 3),
        ("dog", "Animals & Nature", "animal-mammal", 4),
    ]
    listed = [
        {"image": f"{name}.png", "category": group, "subcategory": sub, "sort_order": order}
        for name, group, sub, order in entries
    ]
    (folder / "emoji.json").write_text(json.dumps(listed))
    for index, (name, *_) in enumerate(entries):
        image = Image.new("RGBA", (64, 64), (index, 0, 0, 255))
        image.putpixel((0, 0), (0, 0, 0, 0))
        image.save(folder / "img" / "google" / "64" / f"{name}.png")
    return folder


def test_digits_are_scaled_and_labelled(digits):
    data = load("digits")
    assert data.images.shape == (55, 28, 28, 1)
    assert np.bincount(data.labels).tolist() == list(range(1, 11))
    assert data.images[data.labels == 9].max() == round(0.9 * 255)
    assert data.licence == "MIT"


def test_damaged_digits_are_refused(digits):
    (digits / "3.json").write_text("{")
    with pytest.raises(ArtifactError, match="delete the folder"):
        load("digits")


def test_the_default_emoji_are_the_yellow_faces_on_white(emoji):
    data = load("emoji")
    assert data.class_names == ("face-concerned", "face-smiling")
    assert data.images[:, 5, 5, 0].tolist() == [1, 0]
    assert data.labels.tolist() == [0, 1]
    assert data.images[0, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("category", "count"),
    [("heart", 1), ("heart,animal-mammal", 2), ("Smileys & Emotion", 3), ("all", 4)],
)
def test_emoji_of_named_categories(emoji, category, count):
    assert len(load("emoji", emoji_category=category)) == count


def test_an_unknown_category_is_refused_with_the_list(emoji):
    with pytest.raises(OptionError, match=r"'robots'.*faces, all, .*heart"):
        load("emoji", emoji_category="robots")


def test_an_unknown_data_set_is_refused_with_the_list():
    with pytest.raises(OptionError, match=r"'mnist'.*digits, fashion, emoji, folder:PATH"):
        load("mnist")


def test_a_category_belongs_to_emoji():
    with pytest.raises(OptionError, match="--emoji-category belongs to --data emoji"):
        load("digits", emoji_category="faces")
