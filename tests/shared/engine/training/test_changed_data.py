"""Data that changed after a run began."""

import os
import time

import pytest
import tensorflow as tf
from PIL import Image

from shared.common.errors import KerasuiteError
from shared.engine.training.changed_data import changed_since, damaged_images_named
from shared.image.image_file import IMAGES, ImageFile, read_images, write_images


def test_added_and_changed_files_are_counted(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    time.sleep(0.05)
    (moment := tmp_path / "moment").write_text("")
    began = moment.stat().st_mtime
    moment.unlink()
    assert changed_since([str(tmp_path), "gone"], began) == []
    time.sleep(0.05)
    (tmp_path / "b.txt").write_text("changed")
    (tmp_path / "c.txt").write_text("added")
    os.utime(tmp_path / "c.txt", (0, 0))  # As `cp -p` leaves it.
    (line,) = changed_since([str(tmp_path)], began)
    assert line.startswith("2 file(s) of the data are newer than the run")
    assert str(tmp_path / "b.txt") in line


def test_an_image_that_became_garbage_is_named(tmp_path):
    for name in ("0.png", "1.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    write_images([ImageFile(str(tmp_path / f"{n}.png")) for n in range(2)], tmp_path / IMAGES)
    (tmp_path / "1.png").write_bytes(b"garbage")
    with (
        pytest.raises(KerasuiteError, match=r"1\.png: .*image; the run needs it"),
        damaged_images_named(tmp_path),
    ):
        for name in ("0.png", "1.png"):
            tf.io.decode_png(tf.io.read_file(str(tmp_path / name)))
    with pytest.raises(tf.errors.NotFoundError), damaged_images_named(tmp_path / "other"):
        tf.io.read_file(str(tmp_path / "nothing"))


def test_a_list_of_images_that_was_changed_is_refused(tmp_path):
    write_images([ImageFile("/a.png", split="train")], tmp_path / IMAGES)
    assert read_images(ImageFile, tmp_path / IMAGES)[0].split == "train"
    text = (tmp_path / IMAGES).read_text()
    (tmp_path / IMAGES).write_text(text.replace("train", "trein"))
    with pytest.raises(KerasuiteError, match=r"images\.jsonl: is damaged"):
        read_images(ImageFile, tmp_path / IMAGES)
