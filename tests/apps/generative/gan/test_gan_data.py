"""Pictures in folders, their classes and channels; batches, noise, walks."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.gan import data, pictures
from apps.generative.gan.check import describe
from apps.generative.gan.config import DataConfig, GANConfig
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.saved_model.seeded_pictures import noise_of_seeds
from shared.image.image_store import ImageStore


def write(path, size=(20, 16), mode="L", level=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(str(path)))
    pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels if level is None else pixels * 0 + level).convert(mode).save(path)


def config(folder, **values) -> GANConfig:
    return configs.resolve(GANConfig, {"preset": "test", "data": (str(folder),), **values})


def found_in(folder, **options):
    return pictures.usable_pictures([str(folder)], DataConfig(**options))


def test_classes_are_folders(tmp_path):
    for name in ("cat/1.png", "cat/deeper/2.png", "dog/3.png", "dog/4.png"):
        write(tmp_path / name)
    found = found_in(tmp_path)
    assert [file.label for file in found.files] == ["cat", "cat", "dog", "dog"]
    assert pictures.class_names(found.files) == ["cat", "dog"]
    write(tmp_path / "5.png")
    assert pictures.class_names(found_in(tmp_path).files) == []


def test_grey_where_all_are_grey(tmp_path):
    write(tmp_path / "1.png"), write(tmp_path / "2.png", mode="1")
    assert pictures.channels_of(found_in(tmp_path).headers, DataConfig()) == 1
    write(tmp_path / "3.png", mode="RGB")
    headers = found_in(tmp_path).headers
    assert pictures.channels_of(headers, DataConfig()) == 3
    assert pictures.channels_of(headers, DataConfig(channels="grey")) == 1
    grey = data.with_channels(tf.constant([[[7, 7, 7], [255, 255, 255], [255, 0, 0]]]), 1)
    assert grey.numpy().ravel().tolist() == [7, 255, 76]


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (["1.png"], {}, "1 usable picture.*needs at least 2"),
        (["a/1.png", "a/2.png"], {"labels": True}, "--labels: DATA has no classes"),
        (["a/1.png", "a/2.png", "b/3.png"], {"labels": True}, "class 'b' has 1 usable picture"),
    ],
)
def test_too_few_pictures_are_one_line(tmp_path, files, options, message):
    for name in files:
        write(tmp_path / name)
    with pytest.raises(KerasuiteError, match=message):
        pictures.refuse_too_few(found_in(tmp_path, **options), DataConfig(**options))
    given = {f"data_options.{name}": value for name, value in options.items()}
    assert any(message[:8] in line for line in describe(config(tmp_path, **given))[1])


def test_check_says_what_is_in_the_data(tmp_path):
    write(tmp_path / "a/1.png", (8, 8)), write(tmp_path / "a/2.png", (40, 20))
    write(tmp_path / "b/3.png", level=9), write(tmp_path / "b/4.png", level=9)
    (tmp_path / "b/5.png").write_text("no picture")
    contents, problems = describe(config(tmp_path))
    text = "\n".join(contents)
    assert "5 pictures, 4 usable" in text
    assert "2 classes: a 2, b 2" in text
    assert "trained on in grey" in text
    assert "1 picture(s) are smaller than --image-size 16 and are enlarged" in text
    assert "3 picture(s) are no squares and are cut to their middle" in text
    assert len(problems) == 2
    assert "5.png" in problems[0] and problems[1].startswith("same content: ")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(7):
        write(folder / f"{number}.png", level=30 * number)
    found = found_in(folder)
    options = DataConfig(image_size=16)
    return ImageStore(found.files, "memory", 1, lambda image: data.resized(image, options))


def test_rows_hold_the_examples_of_all_steps(store):
    """The same stream, whatever the number of workers and wherever it begins."""
    chosen = config("x", **{"batch_size": 3, "objective.critic_steps": 2})
    labels = np.arange(7)
    batches = list(iter(data.training_dataset(store, labels, 1, chosen).take(4)))
    shapes = {name: tuple(value.shape) for name, value in batches[0].items()}
    assert shapes == {
        "image": (3, 2, 16, 16, 1), "latent": (3, 2, 8), "generator_latent": (3, 2, 8),
        "mix": (3, 2), "label": (3, 2),
    }  # fmt: skip
    for rows in batches:
        levels = np.round((rows["image"].numpy()[..., 0, 0, 0] + 1) * 127.5)
        np.testing.assert_array_equal(levels, 30 * rows["label"].numpy())
    noise = np.concatenate([np.stack([b["latent"], b["generator_latent"]]) for b in batches], 1)
    assert len(np.unique(noise)) == noise.size
    late = next(iter(data.training_dataset(store, labels, 1, chosen, start_step=2)))
    parts = [
        next(iter(data.training_dataset(store, labels, 1, chosen, 2, (index, 2))))
        for index in range(2)
    ]
    for name, value in batches[2].items():
        np.testing.assert_array_equal(value, late[name])
        np.testing.assert_array_equal(value, np.concatenate([part[name] for part in parts]))


def test_evaluation_takes_the_noise_of_the_seeds_and_of_walks():
    chosen = config("x", **{"evaluation.samples": 20})
    batches = [rows for (rows,) in data.evaluation_dataset(3, chosen)]
    latent = np.concatenate([rows["latent"] for rows in batches])
    label = np.concatenate([rows["label"] for rows in batches])
    seeds = np.arange(1, 21)
    np.testing.assert_array_equal(latent[:20], noise_of_seeds(tf.constant(seeds), 8))
    np.testing.assert_array_equal(label[:20], seeds % 3)
    walks = latent[20:].reshape(data.WALKS, data.WALK_STEPS, 8)
    np.testing.assert_allclose(walks[:, 0], latent[: data.WALKS], atol=1e-5)
    np.testing.assert_allclose(walks[:, -1], latent[1 : data.WALKS + 1], atol=1e-5)
    assert (label[20:].reshape(data.WALKS, -1) == (seeds[: data.WALKS] % 3)[:, np.newaxis]).all()


def test_penalty_with_batch_normalisation_is_refused(tmp_path):
    chosen = config(tmp_path, **{"objective.constraint": "penalty"})
    with pytest.raises(KerasuiteError, match="--discriminator-normalization layer or none"):
        chosen.refuse_mistakes()
