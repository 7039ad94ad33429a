"""Two domains from folders to batches: layouts, splits, order, crops, bad files."""

import io
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.cyclegan import data, domains
from apps.generative.cyclegan.check import describe
from apps.generative.cyclegan.config import CycleGANConfig, DataConfig
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.image.image_file import ImageFile, read_images, write_images
from shared.image.image_store import ImageStore

COUNTS = {"a": 7, "b": 4}


def write_image(path, level=0, size=(40, 36)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size[::-1], 3), level, np.uint8)).save(path)


def write_folders(folder, counts):
    """Images of one grey each, from which they can be told; B is the brighter domain."""
    for name, count in counts.items():
        for index in range(count):
            level = (10 * index + 128 * name.endswith("B")) % 256
            write_image(folder / name / f"{index:02}.png", level)
    return [str(folder)]


def found_in(root, **options):
    return domains.usable_files(domains.find_files(root), DataConfig(**options))


def stores_of(folder, options):
    write_folders(folder, {"trainA": COUNTS["a"], "trainB": COUNTS["b"]})
    files = domains.find_files([str(folder)])
    result = {}
    for domain in ("a", "b"):
        chosen = [file for file in files if file.domain == domain]
        result[domain] = ImageStore(
            chosen, "memory", transform=lambda image: data.resize_for_training(image, options)
        )
    return result


# === Folders ===


def test_layout_of_the_paper_keeps_its_tests(tmp_path):
    root = write_folders(tmp_path, {"trainA": 3, "trainB": 5, "testA": 2, "testB": 4})
    found = found_in(root)
    assert [found.count("a", "train"), found.count("b", "train")] == [3, 5]
    files = domains.split_files(found, 0.1, seed=1)
    assert files == found.files


def test_two_folders_of_any_names(tmp_path):
    write_folders(tmp_path, {"summer/deep/er": 30, "winter": 11})
    found = found_in([str(tmp_path / "summer"), str(tmp_path / "winter")])
    files = domains.split_files(found, 0.1, seed=1)
    counts = Counter((file.domain, file.split) for file in files)
    assert counts == {
        ("a", "train"): 27, ("a", "validation"): 3, ("b", "train"): 10, ("b", "validation"): 1,
    }  # fmt: skip
    assert files == domains.split_files(found, 0.1, seed=1)
    assert files != domains.split_files(found, 0.1, seed=2)
    write_images(files, tmp_path / "list")
    assert read_images(domains.DomainFile, tmp_path / "list") == files


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"trainA": 3}, "has no folder trainB"),
        ({"trainA": 3, "trainB": 3, "testA": 1}, "testA only"),
        ({"trainA": 1, "trainB": 3}, "domain A: 1 usable image"),
        ({"trainA": 3, "trainB": 1}, "domain B: 1 usable image"),
    ],
)
def test_data_that_cannot_be_used(tmp_path, folders, message):
    root = write_folders(tmp_path, folders)
    with pytest.raises(KerasuiteError, match=message):
        domains.split_files(found_in(root), 0.1, seed=1)


def test_empty_missing_and_too_many_folders(tmp_path):
    write_folders(tmp_path, {"a": 2})
    (tmp_path / "empty").mkdir()
    with pytest.raises(KerasuiteError, match=r"empty: no images in it"):
        domains.find_files([str(tmp_path / "a"), str(tmp_path / "empty")])
    with pytest.raises(KerasuiteError, match="no such folder"):
        domains.find_files([str(tmp_path / "a"), str(tmp_path / "nothing")])
    with pytest.raises(KerasuiteError, match="not 3"):
        domains.find_files([str(tmp_path / "a")] * 3)


def odd_images(folder):
    """Good ones of unusual kinds; one cut off, one that is text."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    folder.mkdir(parents=True)
    picture.convert("L").save(folder / "grey.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(folder / "sixteen.png")
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("RGBA").save(folder / "alpha.webp")
    out = io.BytesIO()
    picture.save(out, "JPEG")
    (folder / "truncated.jpg").write_bytes(out.getvalue()[:-300])
    (folder / "text.png").write_text("no image")


def test_odd_images_are_read_and_bad_ones_left_out(tmp_path):
    odd_images(tmp_path / "trainA")
    write_folders(tmp_path, {"trainB": 3})
    found = found_in([str(tmp_path)])
    assert found.count("a") == 4
    reasons = {path.rpartition("/")[2]: reason for path, reason in found.skipped}
    assert set(reasons) == {"truncated.jpg", "text.png"}
    assert "truncated" in reasons["truncated.jpg"]
    options = DataConfig(image_size=32)
    chosen = [file for file in found.files if file.domain == "a"]
    store = ImageStore(chosen)
    for index in range(4):
        kept = data.resize_for_training(store.load(index), options)
        image = data.training_image(kept, tf.constant([0, index]), options)
        assert image.shape == (32, 32, 3)
        assert image.numpy().std() > 0.1


def test_images_smaller_than_the_crop(tmp_path):
    write_folders(tmp_path, {"trainA": 3, "trainB": 3})  # 40 x 36 pixels
    options = {"image_size": 64, "resize": "none"}
    found = found_in([str(tmp_path)], **options)
    assert not found.files
    with pytest.raises(KerasuiteError, match=r"40 x 36 is smaller than the crop .*--resize"):
        domains.split_files(found, 0.1, seed=1)
    assert len(found_in([str(tmp_path)], image_size=64).files) == 6


def test_check_names_what_is_wrong(tmp_path):
    odd_images(tmp_path / "trainA")
    write_folders(tmp_path, {"trainB": 2})
    (tmp_path / "trainB/copy.png").write_bytes((tmp_path / "trainB/01.png").read_bytes())
    (tmp_path / "trainA/copy.png").write_bytes((tmp_path / "trainB/01.png").read_bytes())
    overrides = {"data": (str(tmp_path),), "data_options.image_size": 44}
    contents, problems = describe(configs.resolve(CycleGANConfig, overrides))
    assert any("domain B: 3 images (not split 3)" in line for line in contents)
    assert any("smaller than --image-size 44 and are enlarged" in line for line in contents)
    for part in ("truncated", "text.png", "in both domains"):
        assert any(part in line for line in problems), part


# === Batches ===


OPTIONS = DataConfig(image_size=32)


def first(dataset, count):
    batches = iter(dataset)
    return [next(batches) for _ in range(count)]


def levels(batch):
    return {
        domain: np.round((batch[domain].numpy()[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()
        for domain in ("a", "b")
    }


def test_each_domain_has_an_order_of_its_own(tmp_path):
    stores = stores_of(tmp_path, OPTIONS)
    batches = first(data.training_dataset(stores, OPTIONS, 2, seed=3), 14)
    seen = {domain: sum((levels(b)[domain] for b in batches), []) for domain in ("a", "b")}
    for domain, count in COUNTS.items():
        offset = 128 * (domain == "b")
        for epoch in range(28 // count):
            part = seen[domain][epoch * count : (epoch + 1) * count]
            assert sorted(part) == [10 * index + offset for index in range(count)]
    pairs = Counter(zip(seen["a"], seen["b"], strict=True))
    assert len(pairs) > 14  # not always the same two


def test_stream_is_pure_in_seed_and_step(tmp_path):
    stores = stores_of(tmp_path, OPTIONS)
    whole = first(data.training_dataset(stores, OPTIONS, 3, seed=3), 6)
    later = first(data.training_dataset(stores, OPTIONS, 3, seed=3, start_step=4), 2)
    for one, two in zip(whole[4:], later, strict=True):
        for name in ("a", "b", "draws"):
            np.testing.assert_array_equal(one[name], two[name])
    other = next(iter(data.training_dataset(stores, OPTIONS, 3, seed=4)))
    assert (other["draws"].numpy() != whole[0]["draws"].numpy()).all()
    draws = np.concatenate([batch["draws"] for batch in whole])
    assert len(np.unique(draws)) == draws.size
    assert 0 <= draws.min() < draws.max() < 1


def test_workers_share_the_global_batch(tmp_path):
    stores = stores_of(tmp_path, OPTIONS)
    whole = next(iter(data.training_dataset(stores, OPTIONS, 5, seed=3)))
    parts = [
        next(iter(data.training_dataset(stores, OPTIONS, 5, seed=3, worker=(index, 2))))
        for index in range(2)
    ]
    for name in ("a", "b", "draws"):
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(joined, whole[name])


def as_levels(image):
    return np.round((image.numpy() + 1) * 127.5)


def test_crop_and_flip_cover_what_they_should():
    """Columns carry their number, so that crop and flip can be read off."""
    options = DataConfig(image_size=32, load_size=36)
    columns = np.broadcast_to(np.arange(36, dtype=np.uint8)[None, :, None], (36, 36, 3))
    rows = columns.transpose(1, 0, 2)
    crop = tf.function(lambda image, seed: data.training_image(image, seed, options))
    starts, flips, tops = Counter(), Counter(), set()
    for number in range(200):
        seed = tf.constant([1, number])
        image = as_levels(crop(tf.constant(columns), seed))
        line = image[0, :, 0]
        step = line[1] - line[0]
        np.testing.assert_array_equal(np.diff(line), step)
        flips[int(step)] += 1
        starts[int(line.min())] += 1
        tall = as_levels(crop(tf.constant(rows), seed))
        tops.add(int(tall[0, 0, 0]))
    assert set(starts) == {0, 1, 2, 3, 4}
    assert tops == {0, 1, 2, 3, 4}
    assert set(flips) == {1, -1}
    assert 70 < flips[1] < 130
    straight = DataConfig(image_size=32, load_size=36, flip=False)
    for number in range(20):
        image = data.training_image(tf.constant(columns), tf.constant([1, number]), straight)
        assert image[0, 1, 0] > image[0, 0, 0]


@pytest.mark.parametrize(
    ("resize", "kept"), [("squash", (36, 36)), ("cover", (36, 72)), ("none", (50, 100))]
)
def test_ways_of_resizing(resize, kept):
    options = DataConfig(image_size=32, load_size=36, resize=resize)
    image = tf.constant(np.random.default_rng(0).integers(0, 256, (50, 100, 3)), tf.uint8)
    assert data.resize_for_training(image, options).shape[:2] == kept
    assert data.evaluation_image(image, options).shape == (32, 32, 3)


def test_the_papers_sizes():
    assert data.load_size(DataConfig()) == 286
    assert data.load_size(DataConfig(image_size=64)) == 72
    assert data.load_size(DataConfig(image_size=64, load_size=50)) == 64


def test_evaluation_shows_each_image_once(tmp_path):
    options = {"data_options.image_size": 32, "batch_size": 3}
    config = configs.resolve(CycleGANConfig, options)
    stores = stores_of(tmp_path, config.data_options)
    stores = {
        domain: ImageStore(
            [ImageFile(path.decode()) for path in store._paths.numpy()], "memory",
            transform=lambda image: data.evaluation_image(image, config.data_options),
        )
        for domain, store in stores.items()
    }  # fmt: skip
    seen = {"a": [], "b": []}
    for (batch,) in data.evaluation_dataset(stores, config):
        for domain, found in levels(batch).items():
            seen[domain] += np.array(found)[batch[f"has_{domain}"].numpy()].tolist()
    assert seen == {
        "a": [10 * index for index in range(7)], "b": [128 + 10 * index for index in range(4)],
    }  # fmt: skip
    halves = [len(list(data.evaluation_dataset(stores, config, (i, 2)))) for i in range(2)]
    assert halves == [2, 1]


# === Configuration ===


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("data_options.image_size", 66),
        ("data_options.image_size", 16),
        ("model.width", 8),
        ("loss.adversarial", "hinge"),
        ("loss.sides", "b2a"),
        ("loss.pool_size", -1),
        ("model.bloks", 3),
    ],
)
def test_bad_options_are_named(option, value):
    with pytest.raises(KerasuiteError, match=option.replace(".", r"\.")):
        configs.resolve(CycleGANConfig, {option: value})


@pytest.mark.parametrize("preset", CycleGANConfig.presets)
def test_presets_are_valid_and_adam_is_the_papers(preset):
    config = configs.resolve(CycleGANConfig, {"preset": preset})
    assert config.optimization.beta_1 == 0.5
    assert config.optimization.schedule == "late_linear"
