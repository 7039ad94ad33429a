"""From the first stage to the second, content features, and what is refused on the way."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.generative.srgan.app import SrganApp
from apps.generative.srgan.config import LossConfig, SrganConfig
from apps.generative.srgan.content_features import content_loss
from apps.generative.srgan.sr_gan import SRGAN
from apps.vision.classification.classifier import build_classifier
from apps.vision.classification.config import ClassifyConfig
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import Run, save_model
from shared.engine.training.history import read_csv
from shared.engine.training.train import train

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for index in range(4):
        coarse = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        scene = Image.fromarray(coarse).resize((48, 48), Image.Resampling.BICUBIC)
        scene.save(folder / f"{index}.png")
    return folder


def config(scenes, **overrides) -> SrganConfig:
    given = {"preset": "test", "epochs": 1, "data": (str(scenes),)}
    return configs.resolve(SrganConfig, given | overrides)


@pytest.fixture(scope="module")
def first(scenes, tmp_path_factory):
    """A run of the pixel stage."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    train(SrganApp(), config(scenes, stage="pixel"), folder)
    return folder


class WatchedApp(SrganApp):
    """Keeps the weights that a training starts from."""

    def init_weights(self, run, model):
        super().init_weights(run, model)
        self.start = [np.array(weight) for weight in model.generator.weights]


def test_the_second_stage_starts_from_the_first_and_keeps_its_last_epoch(scenes, first, tmp_path):
    """PSNR only falls in it: by PSNR the model would be the one that it started from."""
    second, app = config(scenes, init=str(first), epochs=2, learning_rate=1e-2), WatchedApp()
    train(app, second, tmp_path / "second")
    one = keras.models.load_model(first / "model.keras", compile=False)
    for start, end in zip(app.start, one.generator.weights, strict=True):
        np.testing.assert_array_equal(start, end)
    saved = keras.models.load_model(tmp_path / "second" / "model.keras", compile=False)
    pixels = RANDOM.uniform(0, 255, (1, 9, 9, 3)).astype("float32")
    assert saved(pixels).shape == one(pixels).shape
    newest = max((tmp_path / "second" / "checkpoints").glob("step-*.npz"))
    with np.load(newest) as checkpoint:
        kernels = [v for k, v in checkpoint.items() if k.startswith("model/") and "/first/k" in k]
    assert len(kernels) == 1
    np.testing.assert_array_equal(saved.generator.get_layer("first").kernel, kernels[0])


def test_micro_batches_reach_the_second_stage(scenes, tmp_path):
    run = Run(config(scenes, **{"optimization.micro_batches": 3}), tmp_path)
    assert SrganApp().build(run).micro_batches == 3


@pytest.mark.slow
def test_the_second_stage_trains_in_micro_batches(scenes, first, tmp_path):
    """Batch normalisation takes the statistics of a micro-batch: the losses are near, not equal."""
    losses = []
    for parts in (1, 2):
        options = {"optimization.micro_batches": parts, "learning_rate": 1e-6}
        run = train(SrganApp(), config(scenes, init=str(first), **options), tmp_path / str(parts))
        losses.append(read_csv(run.folder / "history.csv")[0])
    for name in ("content", "adversarial", "discriminator"):
        assert losses[1][name] == pytest.approx(losses[0][name], rel=0.2), name


@pytest.mark.parametrize("scale", [3, 4])
def test_a_generator_of_another_scale_is_refused(scenes, first, tmp_path, scale):
    other = config(scenes, init=str(first), **{"model.scale": scale})
    with pytest.raises(KerasuiteError, match=f"enlarges 2 times, this one {scale} times"):
        train(SrganApp(), other, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_missing_start_is_refused(scenes, tmp_path):
    with pytest.raises(KerasuiteError, match="--init nowhere: no such file"):
        train(SrganApp(), config(scenes, init="nowhere"), tmp_path / "run")


def test_other_pictures_are_scored(scenes, first, tmp_path):
    from shared.engine.run import open_run

    coarse = RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((40, 41)).save(tmp_path / "one.png")
    app = SrganApp()
    run = open_run(app, first)
    app.replace_validation_data(run, [str(tmp_path)])
    (low, high), *_ = app.dataset(run, "validation")
    assert high.shape == (1, 40, 40, 3)
    assert low.shape == (1, 20, 20, 3)
    assert app.evaluator(run).names == [str(tmp_path / "one.png")]


# === Content features ===


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A run folder with an untrained VGG of the suite."""
    given = {
        "preset": "test", "model.backbone": "vgg11", "model.width": 12, "model.image_size": 32,
        "model.head": "pool", "model.small_stem": False,
    }  # fmt: skip
    keras.utils.set_random_seed(0)
    model = build_classifier(configs.resolve(ClassifyConfig, given), 5)
    folder = tmp_path_factory.mktemp("classifier")
    save_model(model, folder / "model.keras")
    return folder, model


def images(side=48):
    return RANDOM.uniform(0, 255, (2, side, side, 3)).astype("float32")


@pytest.mark.parametrize("activation", ["before", "after"])
@pytest.mark.parametrize("layer", ["", "block2_conv1"])
def test_features_of_the_suites_classifier(classifier, layer, activation):
    """Crops of another size than it was trained for; the error relative to the truth."""
    folder, model = classifier
    loss = content_loss(
        LossConfig(content_features=str(folder), content_layer=layer, content_activation=activation)
    )
    truth, made = images(32), images(32)
    chosen = model.get_layer(layer or "block5_conv2")
    before = keras.Model(model.inputs, chosen.input)
    found = []
    for x in (truth, made):
        values = chosen.convolution(before(x))
        found.append(np.maximum(values, 0) if activation == "after" else np.asarray(values))
    squares = [np.sum((a - b) ** 2) / np.sum(a**2) for a, b in zip(*found, strict=True)]
    assert float(loss(truth, made)) == pytest.approx(np.mean(squares), rel=1e-3)
    assert float(loss(truth, truth)) == 0
    assert np.isfinite(float(loss(images(48), images(48))))


def test_features_pass_gradients(classifier):
    folder, _ = classifier
    loss = content_loss(LossConfig(content_features=str(folder)))
    made = tf.Variable(images())
    with tf.GradientTape() as tape:
        value = loss(images(), made)
    assert float(tf.reduce_max(tf.abs(tape.gradient(value, made)))) > 0


def test_features_are_no_part_of_the_model(scenes, classifier):
    folder, _ = classifier
    given = config(scenes, **{"loss.content_features": str(folder)})
    with_features, without = (SRGAN(given.model, given.loss, crop_size=24) for _ in range(2))
    with_features.content = content_loss(given.loss)
    assert len(with_features.weights) == len(without.weights)
    crops = images(24)
    terms, _ = with_features.generator_losses((images(12), crops))
    assert float(terms["content"]) > 0


def test_imagenets_features_are_scaled_as_in_the_paper(monkeypatch):
    keras.utils.set_random_seed(0)
    vgg = keras.applications.VGG19(include_top=False, weights=None)
    monkeypatch.setattr(keras.applications, "VGG19", lambda **_: vgg)
    loss = content_loss(LossConfig(content_layer="block1_conv2"))
    truth, made = images(24), images(24)
    features = keras.Model(vgg.inputs, vgg.get_layer("block1_conv2").output)
    found = [features(keras.applications.vgg19.preprocess_input(x.copy())) for x in (truth, made)]
    expected = np.mean((np.asarray(found[0]) - np.asarray(found[1])) ** 2) / 12.75**2
    assert float(loss(truth, made)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"content_features": "nowhere"}, "--content-features nowhere: no such file"),
        ({"content_layer": "block9"}, "--content-layer block9: no convolution .* block1_conv1"),
    ],
)
def test_features_that_are_not_there(classifier, given, message):
    folder, _ = classifier
    with pytest.raises(KerasuiteError, match=message):
        content_loss(LossConfig(**({"content_features": str(folder)} | given)))


def test_weights_that_cannot_be_fetched(monkeypatch):
    def fail(**_):
        raise OSError("no network")

    monkeypatch.setattr(keras.applications, "VGG19", fail)
    with pytest.raises(KerasuiteError, match="weights of VGG-19 are not there .* or pixel"):
        content_loss(LossConfig())


def test_a_file_that_is_no_classifier(tmp_path):
    (tmp_path / "a.keras").write_text("text")
    with pytest.raises(KerasuiteError, match="is not a readable .keras file"):
        content_loss(LossConfig(content_features=str(tmp_path / "a.keras")))
