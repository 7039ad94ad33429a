"""Pictures found, paired, refused and cut; crops against the reduction of whole images."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.srgan import data
from apps.generative.srgan.app import SrganApp, training_pictures
from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.pictures import (
    Picture,
    read_pictures,
    split_pictures,
)
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.image import bicubic
from shared.image.image_file import ImageFile, read_images, write_images
from shared.image.png_writer import PngWriter

RANDOM = np.random.default_rng(0)


def scene(height=40, width=50, seed=0) -> np.ndarray:
    # No overshoot at the edges is cut off: turned images are reduced alike.
    coarse = np.random.default_rng(seed).integers(60, 196, (9, 9, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(picture)


def write_scenes(folder, count=4, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(scene(seed=index, **options)).save(folder / f"{index:02}.png")
    return folder


def config(*paths, **overrides) -> SrganConfig:
    given = {"preset": "test", "data": tuple(map(str, paths))}
    return configs.resolve(SrganConfig, given | overrides)


def store_of(config) -> tuple[list[Picture], data.PictureStore]:
    pictures = training_pictures(config).pictures
    return pictures, data.PictureStore(pictures, config.model.scale, "memory")


# === Crops ===


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parts_are_those_of_the_reduced_whole(scale):
    """At the borders as well as inside, level by level."""
    image = RANDOM.integers(0, 256, (50, 61, 3), dtype=np.uint8)
    height, width = 50 // scale, 61 // scale
    whole = bicubic.reduce(image[: height * scale, : width * scale], scale)
    side = 5
    for start in ((0, 0), (height - side, width - side), (2, 3), (0, width - side)):
        part = data.reduced_part(tf.constant(image), tf.constant(start), side, scale)
        expected = whole[start[0] : start[0] + side, start[1] : start[1] + side]
        np.testing.assert_array_equal(part, expected)


def test_small_images_are_mirrored_beyond_their_border():
    image = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    part = data.reduced_part(tf.constant(image), tf.constant([0, 0]), 2, 4)
    np.testing.assert_array_equal(part, bicubic.reduce(image, 4))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_both_resolutions_show_the_same_part_turned_alike(tmp_path, scale):
    given = {"model.scale": scale, "data_options.crop_size": 24}
    options = config(write_scenes(tmp_path), **given)
    _, store = store_of(options)
    crop = tf.function(lambda index, seed: data.random_crop(store, index, seed, options))
    seen = set()
    for number in range(24):
        low, high = crop(tf.constant(number % 4, tf.int64), tf.constant([1, number]))
        assert high.shape == (24, 24, 3)
        inside = np.s_[2:-2, 2:-2]
        reduced = bicubic.reduce(high.numpy(), scale)[inside].astype(int)
        # Turning changes which dimension is rounded first.
        assert np.abs(low.numpy()[inside] - reduced).max() <= 1
        seen.add(high.numpy().tobytes())
    assert len(seen) == 24


def test_crops_reach_every_corner_and_all_eight_turns(tmp_path):
    folder = write_scenes(tmp_path, 2, height=26, width=26)
    options = config(folder)
    _, store = store_of(options)
    image = store.high.load(0).numpy()
    crop = tf.function(
        lambda seed: data.random_crop(store, tf.constant(0, tf.int64), seed, options)
    )
    found = set()
    for number in range(200):
        _, high = crop(tf.constant([3, number]))
        found.add(high.numpy().tobytes())
    expected = set()
    for top in (0, 2):
        for left in (0, 2):
            part = image[top : top + 24, left : left + 24]
            for turns in range(4):
                for mirrored in (part, part[:, ::-1]):
                    expected.add(np.ascontiguousarray(np.rot90(mirrored, turns)).tobytes())
    assert found == expected


def test_the_stream_continues_at_any_step_and_splits_over_workers(tmp_path):
    options = config(write_scenes(tmp_path))
    pictures, store = store_of(options)
    table = data.crop_table(pictures, 24, 0)
    whole = list(data.training_dataset(store, table, options).take(4))
    later = list(data.training_dataset(store, table, options, start_step=2).take(2))
    parts = [
        list(data.training_dataset(store, table, options, worker=(index, 2)).take(1))[0]
        for index in range(2)
    ]
    for one, other in zip(whole[2:], later, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)
    for index in range(2):
        joined = np.concatenate([part[index] for part in parts])
        np.testing.assert_array_equal(joined, whole[0][index])


def test_an_epoch_has_as_many_crops_as_cover_the_images():
    pictures = [Picture("a", width=96, height=96), Picture("b", width=192, height=288)]
    assert data.crop_table(pictures, 96, 0).tolist() == [0] + [1] * 6
    assert data.crop_table(pictures, 200, 0).tolist() == [0, 1]
    assert data.crop_table(pictures, 96, 2).tolist() == [0, 0, 1, 1]


def test_whole_images_are_cut_to_a_multiple_and_reduced(tmp_path):
    options = config(write_scenes(tmp_path, 2, height=41, width=47), **{"model.scale": 4})
    _, store = store_of(options)
    (low, high), *_ = data.evaluation_dataset(store)
    assert high.shape == (1, 40, 44, 3)
    expected = bicubic.reduce(high[0].numpy().astype(np.uint8), 4)
    np.testing.assert_array_equal(low[0], expected)


# === Pairs ===


def write_pairs(folder, scale=2, suffix="", count=3):
    for name in ("HR", "LR"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        high = scene(41, 52, seed=index)
        low = high[: 41 // scale * scale : scale, : 52 // scale * scale : scale]
        Image.fromarray(high).save(folder / "HR" / f"{index}.png")
        Image.fromarray(low).save(folder / "LR" / f"{index}{suffix}.png")
    return folder


@pytest.mark.parametrize("suffix", ["", "x2"])
def test_pairs_are_used_as_they_are(tmp_path, suffix):
    options = config(
        write_pairs(tmp_path, suffix=suffix),
        **{"data_options.flips": False, "data_options.rotations": False},
    )
    pictures, store = store_of(options)
    assert all(picture.low for picture in pictures)
    for number in range(5):
        seed, index = tf.constant([0, number]), tf.constant(number % 3, tf.int64)
        low, high = data.random_crop(store, index, seed, options)
        np.testing.assert_array_equal(low, high[::2, ::2])
    for low, high in data.evaluation_dataset(store):
        np.testing.assert_array_equal(low, high[:, ::2, ::2])


def test_pairs_of_another_scale_are_refused(tmp_path):
    with pytest.raises(KerasuiteError, match=r"LR/0.png: 26 x 20 pixels are not 52 x 41 divided"):
        training_pictures(config(write_pairs(tmp_path), **{"model.scale": 4}))


def test_images_without_a_partner_are_reported(tmp_path):
    folder = write_pairs(tmp_path)
    (folder / "LR" / "1.png").unlink()
    Image.fromarray(scene()).save(folder / "LR" / "9.png")
    found = read_pictures([str(folder)], 2, 24, 10**6)
    assert len(found.pictures) == 2
    assert sorted((path.split("/")[-1], reason) for path, reason in found.skipped) == [
        ("1.png", "has no image of that name in LR"),
        ("9.png", "has no image of that name in HR"),
    ]


def test_pairs_and_single_images_do_not_mix(tmp_path):
    pairs, single = write_pairs(tmp_path / "a"), write_scenes(tmp_path / "b")
    with pytest.raises(KerasuiteError, match="some folders hold pairs"):
        training_pictures(config(pairs, single))


# === What is wrong with data ===


def test_grey_sixteen_bit_and_cmyk_images_become_rgb(tmp_path):
    Image.fromarray(scene()).convert("L").save(tmp_path / "grey.png")
    Image.fromarray(scene()).convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray(scene()).convert("RGBA").save(tmp_path / "alpha.webp")
    writer = PngWriter(50, 40, 3, 16)
    writer.add(scene().astype(np.uint16) * 257)
    (tmp_path / "deep.png").write_bytes(writer.finish())
    pictures, store = store_of(config(tmp_path))
    assert len(pictures) == 4
    for index, picture in enumerate(pictures):
        image = store.high.load(index).numpy()
        assert image.shape == (40, 50, 3)
        if picture.path.endswith("deep.png"):
            np.testing.assert_array_equal(image, scene())


def test_corrupt_and_small_images_are_left_out_and_listed(tmp_path):
    write_scenes(tmp_path, 3)
    out = io.BytesIO()
    Image.fromarray(scene()).save(out, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(out.getvalue()[:-300])
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(scene(23, 60)).save(tmp_path / "small.png")
    found = training_pictures(config(tmp_path))
    pictures, skipped = found.pictures, found.skipped
    assert len(pictures) == 3
    assert {(path.split("/")[-1], reason) for path, reason in skipped} == {
        ("cut.jpg", "truncated JPEG"),
        ("text.png", "text, not an image"),
        ("small.png", "60 x 23 pixels are less than the 24 of a crop"),
    }


@pytest.mark.parametrize(
    "write, overrides, message",
    [
        (lambda f: write_scenes(f, 1), {}, "only usable image"),
        (lambda f: write_scenes(f, height=20), {}, "20 pixels are less than the 24 of a crop"),
        (write_scenes, {"data_options.crop_size": 25}, "--crop-size 25: is no multiple of --scale"),
        (lambda f: f.mkdir(parents=True), {}, "scenes"),
    ],
)
def test_one_line_says_what_is_wrong_and_nothing_is_left(tmp_path, write, overrides, message):
    from shared.engine.training.train import train

    write(tmp_path / "scenes")
    with pytest.raises(KerasuiteError, match=message):
        train(SrganApp(), config(tmp_path / "scenes", **overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_image_will_do_with_others_to_validate_on(tmp_path):
    held_out = write_scenes(tmp_path / "held-out", 2)
    given = {"data_options.validation": str(held_out)}
    pictures = training_pictures(config(write_scenes(tmp_path / "scenes", 1), **given)).pictures
    assert [picture.split for picture in pictures] == ["train", "validation", "validation"]


def test_every_tenth_picture_is_held_out_and_lists_keep_all(tmp_path):
    pictures = split_pictures([Picture(f"{index:03}") for index in range(25)])
    held_out = [picture.path for picture in pictures if picture.split == "validation"]
    assert held_out == ["009", "019"]
    assert [p.split for p in split_pictures([Picture("a"), Picture("b")])] == [
        "train",
        "validation",
    ]
    pictures = [replace(picture, path=f"/{picture.path}") for picture in pictures]
    pictures[3] = replace(pictures[3], low=ImageFile("/low/003", is_direct=False))
    write_images(pictures, tmp_path / "list")
    assert read_images(Picture, tmp_path / "list") == pictures


def test_check_describes_and_lists_problems(tmp_path):
    write_scenes(tmp_path)
    Image.fromarray(scene(10, 60)).save(tmp_path / "small.png")
    contents, problems = SrganApp().check(config(tmp_path))
    assert contents[0] == "4 usable images, 0 of them with a low-resolution file"
    assert "width 50 to 50, height 40 to 40 pixels" in contents
    assert len(problems) == 1
