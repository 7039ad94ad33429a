"""The sample of two domains: nothing is paired, and the look is the same everywhere."""

import numpy as np
from PIL import Image

from shared.samples.domains import COUNTS, SEPIA, SIDE, sepia
from shared.samples.registry import write_sample


def test_domains_are_written_and_unpaired(tmp_path):
    line = write_sample("domains", tmp_path / "one")
    assert "64 train and 12 test" in line
    pictures = {}
    for domain in "AB":
        for part, count in COUNTS.items():
            paths = sorted((tmp_path / "one" / f"{part}{domain}").glob("*.png"))
            pictures[part + domain] = [np.asarray(Image.open(path)) for path in paths]
            assert len(paths) == count
            assert all(p.shape == (SIDE, SIDE, 3) for p in pictures[part + domain])
        contents = {picture.tobytes() for picture in pictures[f"train{domain}"]}
        assert len(contents) == COUNTS["train"]
    # All browns of a sepia print lie near one line; colours as photographed do not.
    for name, images in pictures.items():
        levels = np.concatenate(images).reshape(-1, 3).astype(float)
        # In the darkest pixels rounding decides the ratio, white is clipped.
        brightness = levels.max(axis=1)
        toned = levels[(brightness >= 20) & (brightness < 250)]
        ratio = toned[:, 2] / toned[:, 0].clip(1)
        assert (ratio.std() < 0.05) == name.endswith("B"), name
    made_sepia = [sepia(image) for image in pictures["trainA"]]
    assert not any((a == b).all() for a in made_sepia for b in pictures["trainB"])


def test_sepia_is_a_mix_of_the_colours():
    pixels = np.array([[[100, 50, 200], [255, 255, 255]]], np.uint8)
    expected = np.minimum(np.round(SEPIA @ [100, 50, 200]), 255)
    np.testing.assert_array_equal(sepia(pixels)[0, 0], expected)
    np.testing.assert_array_equal(sepia(pixels)[0, 1], [255, 255, 239])


def test_sample_is_the_same_every_time(tmp_path):
    for name in ("one", "two"):
        write_sample("domains", tmp_path / name)
    for path in sorted((tmp_path / "one").rglob("*.png")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()
