from __future__ import annotations

import pytest
from PIL import Image

from engine.core.errors import OptionError, TrainingError
from training.data import load


def save(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def test_subfolders_are_classes(tmp_path):
    save(tmp_path / "dog" / "1.png", "red")
    save(tmp_path / "cat" / "deep" / "2.JPG", "blue")
    save(tmp_path / "dog" / "3.bmp", "red")
    data = load(f"folder:{tmp_path}")
    assert data.class_names == ("cat", "dog")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.images.shape == (3, 8, 8, 3)


def test_labels_stay_right_when_a_file_is_broken(tmp_path):
    save(tmp_path / "a" / "1.png", "red")
    (tmp_path / "a" / "2.png").write_text("broken")
    save(tmp_path / "b" / "3.png", "blue")
    assert load(f"folder:{tmp_path}").labels.tolist() == [0, 1]


def test_the_asked_size_reaches_the_files(tmp_path):
    save(tmp_path / "1.png", "red")
    Image.new("RGB", (50, 40)).save(tmp_path / "2.png")
    assert load(f"folder:{tmp_path}", size=32).images.shape == (2, 32, 32, 3)
    with pytest.raises(OptionError, match="--size 0 must be at least 1"):
        load(f"folder:{tmp_path}", size=0)


def test_a_flat_folder_is_one_class_and_can_be_grey(tmp_path):
    save(tmp_path / "1.png", "red")
    data = load(f"folder:{tmp_path}", channels=1)
    assert data.class_names == ("images",)
    assert data.channels == 1


def test_the_machines_path_stays_out_of_the_description(tmp_path):
    save(tmp_path / "faces" / "1.png", "red")
    data = load(f"folder:{tmp_path / 'faces'}")
    assert str(tmp_path) not in data.source
    assert "faces" in data.source


@pytest.mark.parametrize(
    ("layout", "error", "message"),
    [
        pytest.param((), TrainingError, "no image files", id="empty"),
        pytest.param(("1.png", "a/2.png"), OptionError, "beside class folders", id="mixed"),
    ],
)
def test_unusable_folders_are_refused(tmp_path, layout, error, message):
    for name in layout:
        save(tmp_path / name, "red")
    with pytest.raises(error, match=message):
        load(f"folder:{tmp_path}")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no such folder"):
        load(f"folder:{tmp_path / 'nothing'}")
