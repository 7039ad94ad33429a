"""Folders and tables of labelled pictures as people leave them."""

import pytest
from PIL import Image

from apps.vision.classification import files
from apps.vision.classification.check import describe
from apps.vision.classification.config import ClassifyConfig
from shared.common import config as configs
from shared.common.errors import KerasuiteError


def write_images(folder, count=3, mode="RGB", suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        # Of unequal content.
        colour = Image.new("L", (8, 8), len(str(folder)) + 7 * index).convert(mode)
        colour.save(folder / f"{index}{suffix}")


def check(folder):
    contents, problems = describe(configs.resolve(ClassifyConfig, {"data": (str(folder),)}))
    return "\n".join(contents), "\n".join(problems)


def labels(folder):
    return sorted((file.label, file.split) for file in files.find_files([str(folder)]))


def test_a_class_called_train_is_a_class(tmp_path):
    for name in ("bus", "car", "train"):
        write_images(tmp_path / name, 1)
    assert labels(tmp_path) == [("bus", ""), ("car", ""), ("train", "")]
    write_images(tmp_path / "parts" / "train" / "a", 1)
    write_images(tmp_path / "parts" / "val" / "a", 1)
    assert labels(tmp_path / "parts") == [("a", "train"), ("a", "validation")]


def test_classes_that_vanish_and_pictures_that_are_not_read_are_named(tmp_path):
    write_images(tmp_path / "cat")
    write_images(tmp_path / "dog")
    (tmp_path / "fish").mkdir()
    (tmp_path / "bird").mkdir()
    for index in range(4):
        (tmp_path / "bird" / f"{index}.heic").write_bytes(b"x")
    _, problems = check(tmp_path)
    assert "4 picture(s) of types that are not read are left out (4 .heic)" in problems
    for name in ("fish", "bird"):
        assert f"the class '{name}' has no image" in problems


def test_folders_behind_links_are_classes_once(tmp_path):
    write_images(tmp_path / "disk", 2)
    write_images(tmp_path / "data" / "cat", 1)
    (tmp_path / "data" / "cat" / "more").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "data" / "cat" / "loop").symlink_to("..", target_is_directory=True)
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "dogs", target_is_directory=True)
    write_images(tmp_path / "dogs", 2)
    found = [label for label, _ in labels(tmp_path / "data")]
    assert found == ["cat"] * 3 + ["dog"] * 2


def test_what_pictures_lose_is_said(tmp_path):
    write_images(tmp_path / "a", 2, "RGBA")
    write_images(tmp_path / "b", 3, "I;16")
    contents, _ = check(tmp_path)
    assert "2 image(s) are transparent and are laid over white" in contents
    assert "3 image(s) have more than 8 bits a channel" in contents


def test_tables_of_windows(tmp_path):
    write_images(tmp_path / "im", 2)
    (tmp_path / "t.csv").write_text("path,label\nim\\0.png, cat \nim\\1.png,dog\n")
    assert labels(tmp_path / "t.csv") == [("cat", ""), ("dog", "")]
    (tmp_path / "latin.csv").write_bytes("path,label\nim/0.png,Käse\n".encode("latin-1"))
    with pytest.raises(KerasuiteError, match=r"latin\.csv.*UTF-8.*save it"):
        files.find_files([str(tmp_path / "latin.csv")])
