"""The sample of two domains: nothing is paired, and the look is the same everywhere."""

import numpy as np
from PIL import Image

from shared.samples.domains import COUNTS, MOONLIGHT, SIDE, moonlit
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
    for name, images in pictures.items():
        red, _, blue = np.concatenate(images).reshape(-1, 3).astype(float).mean(axis=0)
        assert (blue > 1.3 * red) == name.endswith("B"), name
    made = [moonlit(image) for image in pictures["trainA"]]
    assert not any((a == b).all() for a in made for b in pictures["trainB"])


def test_moonlight_is_a_mix_of_the_colours():
    pixels = np.array([[[100, 50, 200], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(moonlit(pixels)[0, 0], np.round(MOONLIGHT @ [100, 50, 200]))
    np.testing.assert_array_equal(moonlit(pixels)[0, 1], np.round(MOONLIGHT @ [255, 255, 255]))


def test_sample_is_the_same_every_time(tmp_path):
    for name in ("one", "two"):
        write_sample("domains", tmp_path / name)
    for path in sorted((tmp_path / "one").rglob("*.png")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()
