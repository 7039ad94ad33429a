"""CycleGAN from a folder to a SavedModel, in one process."""

import io
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.cyclegan.app import CycleGANApp
from apps.generative.cyclegan.config import CycleGANConfig
from apps.generative.cyclegan.resnet_generator import build_resnet_generator
from apps.generative.cyclegan.serving import TranslationServing, mirror_to
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import Run, load_best, open_run
from shared.engine.saved_model.run_export import saved_model_for
from shared.engine.training.checkpoint import CheckpointFolder
from shared.engine.training.history import read_csv
from shared.engine.training.train import train
from shared.image.levels import to_levels

EIGHT = [f"{kind}_{side}" for kind in ("adversarial", "cycle", "identity", "discriminator")
         for side in "ab"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for name, count, channel in (("trainA", 8, 0), ("trainB", 5, 2)):
        (root / name).mkdir()
        for index in range(count):
            coarse = generator.integers(0, 100, (6, 6, 3), dtype=np.uint8)
            coarse[..., channel] += 150
            Image.fromarray(coarse).resize((40, 40)).save(root / name / f"{index}.png")
    (root / "trainA" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


def config_of(folder, **overrides):
    given = {"preset": "test", "data": (str(folder),), "deterministic": False, "devices": "cpu"}
    return configs.resolve(CycleGANConfig, given | overrides)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    config = config_of(folder, **{"optimization.ema": 0.5})
    return train(CycleGANApp(), config, tmp_path_factory.mktemp("runs") / "run")


def test_history_has_all_terms_and_both_rates(run):
    rows = read_csv(run.folder / "history.csv")
    assert set(EIGHT) < set(rows[0])
    # The rate is constant in the first half and zero at the end.
    assert rows[-1]["learning_rate"] == rows[-1]["learning_rate_discriminator"] < 1e-6
    assert rows[0]["learning_rate"] == pytest.approx(2e-4)
    assert all(row["val_cycle_l1"] > 0 for row in rows)


def test_run_folder_has_pictures_and_lists_bad_files(run):
    names = {path.name for path in (run.folder / "samples").iterdir()}
    assert names == {"epoch-0001.png", "epoch-0002.png", "gallery.html"}
    assert "torn.png" in (run.folder / "skipped.csv").read_text()
    assert run.artifacts["train_images_a"] == 7
    assert run.artifacts["skipped_images"] == 1


def test_checkpoint_holds_pools_and_optimizers(run):
    state = max((run.folder / "checkpoints").glob("*.npz"))
    with np.load(state) as file:
        groups = {name.partition("/")[0] for name in file.files}
        pools = [file[name] for name in file.files if "pool" in name and "images" in name]
    assert groups >= {"model", "generator", "discriminator", "state_0", "state_1", "other_0"}
    assert len(pools) == 2
    assert all(np.abs(pool).sum() > 0 for pool in pools)


@pytest.mark.slow
def test_nan_losses_stop_with_the_name_and_keep_the_checkpoint(folder, tmp_path):
    """A rate at which the third step is lost; every step is saved before."""
    config = config_of(folder, learning_rate=1e25, checkpoint_every="1 step")
    with pytest.raises(KerasuiteError, match=r"(became|is) (nan|NaN|inf).*last checkpoint is kept"):
        train(CycleGANApp(), config, tmp_path / "run")
    for path in CheckpointFolder(tmp_path / "run/checkpoints").paths():
        with np.load(path) as file:
            assert all(np.isfinite(file[name]).all() for name in file.files)


@pytest.mark.slow
def test_starts_from_another_run(run, folder, tmp_path):
    app, second = CycleGANApp(), Run(config_of(folder, init=str(run.folder)), tmp_path)
    model = app.build(second)
    app.init_weights(second, model)
    best = load_best(app, open_run(app, run.folder))
    for left, right in zip(best.weights, model.weights, strict=True):
        np.testing.assert_array_equal(left, right)


def test_other_validation_data(run, folder):
    app = CycleGANApp()
    opened = open_run(app, run.folder)
    app.replace_validation_data(opened, [str(folder)])
    batches = list(app.dataset(opened, "validation"))
    assert sum(int(b["has_a"].numpy().sum()) for (b,) in batches) == 8


# === Serving ===


def encoded(pixels, kind="PNG", **options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_serving_keeps_sizes_and_equals_the_generator():
    generator = build_resnet_generator(12, 1)
    serving = TranslationServing(generator, "a2b")
    random = np.random.default_rng(0)
    sizes = [(16, 24), (17, 23), (1, 1), (2, 9), (40, 33)]
    pictures = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    made = serving.translate(tf.constant([encoded(picture) for picture in pictures]))
    for picture, data in zip(pictures, made["image_bytes"].numpy(), strict=True):
        height, width = picture.shape[:2]
        grid = [max(8, -(-side // 4) * 4) for side in (height, width)]
        padded = np.pad(
            picture, ((0, grid[0] - height), (0, grid[1] - width), (0, 0)), mode="reflect"
        )
        image = padded[np.newaxis].astype(np.float32) / 127.5 - 1
        expected = to_levels(generator(image))[0, :height, :width].numpy().astype(int)
        assert np.abs(decoded(data).astype(int) - expected).max() <= 1


def test_serving_turns_pictures_upright():
    serving = TranslationServing(build_resnet_generator(12, 1), "a2b")
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned, plain = encoded(pixels, exif=exif), encoded(np.rot90(pixels, -1))
    one, two = serving.translate(tf.constant([turned, plain]))["image_bytes"].numpy()
    assert decoded(one).shape == (24, 16, 3)
    np.testing.assert_array_equal(decoded(one), decoded(two))


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_mirroring_repeats_as_often_as_it_takes(side):
    image = np.arange(side * side * 3).reshape(side, side, 3)
    expected = np.pad(image, ((0, 12), (0, 12), (0, 0)), mode="reflect")
    got = mirror_to(tf.constant(image), side + 12, side + 12)
    np.testing.assert_array_equal(got, expected)


def test_tile_signature_keeps_fractions_of_levels():
    generator = build_resnet_generator(12, 1)
    tile = np.random.default_rng(0).uniform(0, 255, (2, 12, 16, 3)).astype(np.float32)
    made = TranslationServing(generator, "a2b").translate_tile(tf.constant(tile))["tile"]
    np.testing.assert_allclose(made, (generator(tile / 127.5 - 1) + 1) * 127.5, atol=1e-3)


def test_export_of_a_run_by_direction(run, tmp_path):
    app = CycleGANApp()
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    with pytest.raises(KerasuiteError, match="exported as 2 models"):
        saved_model_for(app, folder)
    paths = {key: saved_model_for(app, folder, key) for key in ("a2b", "b2a")}
    assert {path.parent.name for path in paths.values()} == {"run-a2b", "run-b2a"}
    assert saved_model_for(app, folder / "export/cyclegan/run", "b2a") == paths["b2a"]
    with pytest.raises(KerasuiteError, match="translates b2a"):
        app.predictor(paths["b2a"], direction="a2b")
    image = tf.constant([encoded(np.zeros((10, 14, 3), np.uint8))])
    results = {}
    for key, path in paths.items():
        loaded = tf.saved_model.load(str(path))
        made = loaded.signatures["serving_default"](image_bytes=image)["image_bytes"]
        results[key] = decoded(made.numpy()[0])
        assert results[key].shape == (10, 14, 3)
        assert set(loaded.signatures) == {"serving_default", "tile"}
        none = loaded.signatures["tile"](tile=tf.zeros((0, 8, 12, 3)))["tile"]
        assert none.shape == (0, 8, 12, 3)
    assert (results["a2b"] != results["b2a"]).any()
