"""The photographs of installed packages, whole again from their parts."""

import numpy as np
from PIL import Image
from skimage import data

from shared.samples.photos import _cuts
from shared.samples.registry import write_sample


def test_parts_are_of_one_size_and_on_one_side(tmp_path):
    line = write_sample("photos", tmp_path / "photos")
    names = {}
    for part in ("train", "validation"):
        paths = sorted((tmp_path / "photos" / part).iterdir())
        names[part] = {path.name.rpartition("-")[0] for path in paths}
        for path in paths:
            with Image.open(path) as image:
                assert image.mode == "RGB"
                assert 96 <= min(image.size) <= max(image.size) < 320 + 96
        assert line.split(" of other")[0].count(str(len(paths))) >= 1
    assert not names["train"] & names["validation"]
    assert len(names["train"]) == 12
    assert names["validation"] == {"chelsea", "coffee", "china"}


def test_parts_make_the_whole_photograph(tmp_path):
    write_sample("photos", tmp_path / "photos")
    parts = [
        np.asarray(Image.open(tmp_path / "photos" / "validation" / f"coffee-0{number}.png"))
        for number in (1, 2)
    ]
    whole = data.coffee()
    rebuilt = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(rebuilt, whole)


def test_cuts_leave_no_narrow_rest():
    assert _cuts(400) == [(0, 400)]
    assert _cuts(417) == [(0, 320), (320, 417)]
    assert _cuts(1411) == [(0, 320), (320, 640), (640, 960), (960, 1280), (1280, 1411)]
    assert _cuts(50) == [(0, 50)]
