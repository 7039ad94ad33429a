"""The list of a run's image files."""

from dataclasses import dataclass

import pytest

from shared.common.errors import KerasuiteError
from shared.image.image_file import (
    ImageFile,
    check_present,
    of_split,
    read_images,
    write_images,
)
from shared.image.image_store import ImageStore


@dataclass(frozen=True)
class Rated(ImageFile):
    stars: int


def test_a_list_keeps_all_and_makes_paths_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [Rated('ü, "x"\n.jpg', 3, split="train", is_direct=False), Rated("/y", 1)]
    write_images(files, tmp_path / "list")
    assert read_images(Rated, tmp_path / "list") == [
        Rated(f'{tmp_path}/ü, "x"\n.jpg', 3, split="train", is_direct=False),
        Rated("/y", 1),
    ]


def test_of_split_keeps_the_order():
    files = [ImageFile(name, split=split) for name, split in ("at", "bv", "ct")]
    assert [file.path for file in of_split(files, "t")] == ["a", "c"]


def test_a_file_that_has_gone(tmp_path):
    here, gone = ImageFile(__file__), ImageFile(str(tmp_path / "gone.png"))
    check_present([here])
    for use in (check_present, ImageStore):
        with pytest.raises(KerasuiteError, match="gone.png: is no longer there; the run needs it"):
            use([here, gone])
