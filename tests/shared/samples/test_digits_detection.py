"""The digits-detection sample: the same every time, VOC as its readers expect, learnable boxes."""

import hashlib
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from shared.samples.digits_detection import MAX_OVERLAP, _overlap
from shared.samples.registry import write_sample


def test_digits_detection(tmp_path):
    line = write_sample("digits-detection", tmp_path / "a")
    write_sample("digits-detection", tmp_path / "b")
    assert line.startswith("240 training and 60 validation pictures with 1710 digits")
    digests = [
        {
            str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).digest()
            for file in folder.rglob("*.*")
        }
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert digests[0] == digests[1]
    folder = tmp_path / "a"
    assert len(list((folder / "unlabelled").glob("*.jpg"))) == 12
    lists = {
        part: (folder / "ImageSets" / "Main" / f"{part}.txt").read_text().split()
        for part in ("train", "val")
    }
    assert not set(lists["train"]) & set(lists["val"])
    for part, stems in lists.items():
        found = set()
        for stem in stems:
            root = ElementTree.parse(folder / "Annotations" / f"{stem}.xml").getroot()
            size = Image.open(folder / "JPEGImages" / f"{stem}.jpg").size
            assert min(size) >= 200 and max(size) <= 320
            boxes = [[int(value.text) for value in box] for box in root.iter("bndbox")]
            edges = np.array(boxes) - [1, 1, 0, 0]
            assert (edges >= 0).all() and (edges <= [*size, *size]).all()
            assert (edges[:, 2:] - edges[:, :2] >= 5).all()
            for number, box in enumerate(edges):
                assert all(_overlap(box, other) <= MAX_OVERLAP for other in edges[:number])
            found |= {name.text for name in root.iter("name")}
        assert found == set("0123456789"), part
