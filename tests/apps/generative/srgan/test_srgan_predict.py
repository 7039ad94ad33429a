"""From SavedModel to PNG files: signatures, tiles, alpha, 16 bits, memory."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.srgan.app import SrganApp
from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.enlarger import Enlarger, enlarged_rows, enough_overlap, tile_for_memory
from apps.generative.srgan.generator import generator_margin
from apps.generative.srgan.peak_memory import CLEAR, peak_memory
from apps.generative.srgan.predictor import SuperResolutionPredictor
from apps.generative.srgan.serving import SuperResolutionServing
from apps.generative.srgan.tile_memory import measured_bytes_per_pixel, tensor_bytes_per_pixel
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.prediction.predict import predict
from shared.engine.run import Run
from shared.engine.saved_model.export import export
from shared.image import bicubic
from shared.image.full_image import FullImage, read_full_image

RANDOM = np.random.default_rng(0)
SCALE = 2


def config(**overrides) -> SrganConfig:
    given = {"preset": "test", "stage": "pixel", "model.residual": "bicubic", "data": ("x",)}
    return configs.resolve(SrganConfig, given | overrides)


@pytest.fixture(scope="module")
def network():
    """A generator whose details are no longer nearly nothing."""
    keras.utils.set_random_seed(3)
    app = SrganApp()
    model = app.build(Run(config(), None))
    last = model.generator.get_layer("last")
    last.kernel.assign(keras.random.normal(last.kernel.shape, stddev=0.02, seed=1))
    return model


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = Run(config(), folder)
    return export(SrganApp(), run, network, folder / "saved_models")[""]


def picture(height, width, channels=3, dtype=np.uint8):
    coarse = RANDOM.integers(0, 256, (6, 6, channels), np.uint8)
    parts = [
        np.asarray(
            Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC)
        )
        for c in range(channels)
    ]
    image = np.stack(parts, axis=-1)
    return image if dtype == np.uint8 else image.astype(np.uint16) * 257 - image.astype(np.uint16)


def encoded(pixels, kind="PNG"):
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, kind)
    return out.getvalue()


# === The SavedModel ===


def test_bytes_in_png_bytes_out_for_any_sizes(saved, network):
    serve = tf.saved_model.load(str(saved))
    images = [picture(9, 14), picture(20, 6), picture(1, 5), picture(1, 1)]
    files = tf.constant([encoded(image) for image in images])
    outputs = serve.signatures["serving_default"](image_bytes=files)["image_bytes"]
    for image, png in zip(images, outputs.numpy(), strict=True):
        made = np.asarray(Image.open(io.BytesIO(png)))
        assert made.shape == (2 * image.shape[0], 2 * image.shape[1], 3)
        assert png.startswith(b"\x89PNG")
    expected = network(images[0][None].astype("float32"))[0]
    first = np.asarray(Image.open(io.BytesIO(outputs.numpy()[0])))
    assert np.abs(first - np.clip(expected, 0, 255)).max() <= 0.51


def test_tiles_are_not_rounded(saved, network):
    serve = tf.saved_model.load(str(saved))
    tiles = RANDOM.uniform(0, 255, (3, 8, 11, 3)).astype("float32")
    made = serve.signatures["tile"](tile=tf.constant(tiles))["tile"]
    np.testing.assert_allclose(made, network(tiles), atol=1e-2)
    none = serve.signatures["tile"](tile=tf.zeros((0, 8, 11, 3)))["tile"]
    assert none.shape == (0, 8 * SCALE, 11 * SCALE, 3)


def test_the_export_knows_its_scale_margin_and_memory(saved):
    loaded = tf.saved_model.load(str(saved))
    assert int(loaded.scale) == SCALE
    assert int(loaded.margin) == generator_margin(config().model)
    assert int(loaded.bytes_per_pixel) >= tensor_bytes_per_pixel(config().model)


# === Tiles ===


def enlarger(network, tile, overlap=None):
    margin = generator_margin(config().model)
    overlap = enough_overlap(margin) if overlap is None else overlap
    serving = SuperResolutionServing(network, config())

    def call(images):
        return serving.enlarge_tiles(tf.constant(images))["tile"].numpy()

    return Enlarger(call, SCALE, margin, tile, overlap)


@pytest.mark.parametrize("dtype, levels", [(np.uint8, 1), (np.uint16, 257)])
def test_tiles_and_whole_images_agree_everywhere(network, dtype, levels):
    image = picture(70, 95, 3, dtype)
    whole = np.concatenate(list(enlarger(network, 1000).bands(image)))
    tiled = np.concatenate(list(enlarger(network, 48).bands(image)))
    assert whole.shape == (140, 190, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= levels


def test_small_overlaps_differ_only_at_the_seams(network):
    image = picture(30, 80)
    whole = np.concatenate(list(enlarger(network, 1000).bands(image)))
    tiled = np.concatenate(list(enlarger(network, 40, overlap=8).bands(image)))
    margin = generator_margin(config().model)
    away = np.ones(160, bool)
    for border in (32, 40, 48):  # where the tiles 0..40, 20..60 and 40..80 begin and end
        away[2 * (border - 12 - margin) : 2 * (border + 12 + margin)] = False
    difference = np.abs(whole.astype(int) - tiled)
    assert difference.max() < 60
    assert difference[:, away].max(initial=0) <= 1


def test_png_keeps_channels_bits_and_alpha(network):
    for channels, alpha, dtype in (
        (1, False, np.uint8), (3, True, np.uint8), (3, True, np.uint16), (1, True, np.uint16),
    ):  # fmt: skip
        colour = picture(40, 50, channels, dtype)
        given = picture(40, 50, 1, dtype) if alpha else None
        for tile in (24, 1000):
            made = read_full_image(enlarger(network, tile, 4).png(FullImage(colour, given)))
            assert made.colour.shape == (80, 100, channels)
            assert made.colour.dtype == dtype
            if alpha:
                np.testing.assert_array_equal(made.alpha, bicubic.enlarge(given, SCALE))
            else:
                assert made.alpha is None


@pytest.mark.parametrize("start, stop", [(0, 3), (4, 9), (7, 10), (0, 10)])
def test_rows_of_the_bicubic_enlargement(start, stop):
    image = picture(10, 7, 1)
    whole = bicubic.enlarge(image, 3)
    np.testing.assert_array_equal(enlarged_rows(image, 3, start, stop), whole[3 * start : 3 * stop])


# === Memory ===


def test_tiles_fill_the_memory_and_no_more():
    side = tile_for_memory(2**30, 40_000, 88)
    assert side % 16 == 0
    assert side**2 * 40_000 <= 2**30 < (side + 16) ** 2 * 40_000


def test_too_little_memory_says_how_much_is_needed():
    with pytest.raises(KerasuiteError, match=r"--memory: 64 MiB are too little .* at least 0\.6"):
        tile_for_memory(64 * 2**20, 40_000, 88)
    assert tile_for_memory(round(0.6 * 2**30), 40_000, 88) == 112


@pytest.mark.skipif(not CLEAR.exists(), reason="the operating system does not tell")
def test_peak_memory_sees_what_a_call_takes_for_a_moment():
    grown = peak_memory(lambda: np.ones(64 * 2**20, np.uint8).sum())
    assert 60 * 2**20 < grown < 100 * 2**20


def test_measured_memory_covers_a_larger_call(network):
    each = measured_bytes_per_pixel(network, config().model)
    call = tf.function(lambda images: network(images, training=False))
    call(tf.zeros((1, 32, 32, 3)))
    grown = peak_memory(lambda: call(tf.zeros((1, 800, 800, 3))))
    if grown is not None:
        assert grown <= each * 800**2


# === Folders ===


def run_predictor(saved, inputs, output, **options):
    predictor = SuperResolutionPredictor(**options)
    sources = find_inputs([str(inputs)], predictor.suffixes, output=str(output))
    return predict(saved, sources, predictor, output, batch_size=2, progress=False)


def test_folders_keep_their_paths_and_bad_files_are_listed(saved, tmp_path):
    inputs, output = tmp_path / "in", tmp_path / "out"
    (inputs / "deep").mkdir(parents=True)
    (inputs / "a.jpg").write_bytes(encoded(picture(12, 15), "JPEG"))
    (inputs / "deep" / "b.png").write_bytes(encoded(picture(12, 15, 4)))
    (inputs / "deep" / "b.jpg").write_bytes(encoded(picture(9, 8), "JPEG"))
    (inputs / "bad.png").write_text("no image")
    summary = run_predictor(saved, inputs, output)
    assert (summary.done, summary.rejected) == (3, 1)
    rows = [json.loads(line) for line in (output / "predictions.jsonl").open()]
    assert rows[0] == {"file": "a.jpg", "image": "a.png", "width": 30, "height": 24}
    assert [row["image"] for row in rows[1:]] == ["deep/b.jpg.png", "deep/b.png.png"]
    assert Image.open(output / "deep/b.png.png").mode == "RGBA"
    assert Image.open(output / "a.png").size == (30, 24)
    errors = (output / "errors.jsonl").read_text()
    assert "text, not an image" in errors


def test_large_images_go_by_tiles_of_the_memory(saved, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encoded(picture(200, 260)))
    each = int(tf.saved_model.load(str(saved)).bytes_per_pixel)
    run_predictor(saved, tmp_path / "in", tmp_path / "whole", memory=4.0)
    run_predictor(saved, tmp_path / "in", tmp_path / "tiled", memory=each * 80**2 / 2**30)
    whole, tiled = (
        np.asarray(Image.open(tmp_path / name / "a.png")).astype(int) for name in ("whole", "tiled")
    )
    assert np.abs(whole - tiled).max() <= 1


def test_impossible_options_are_refused():
    with pytest.raises(KerasuiteError, match="--memory -1: give GiB above 0"):
        SuperResolutionPredictor(memory=-1)
