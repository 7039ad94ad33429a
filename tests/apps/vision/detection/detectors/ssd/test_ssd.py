"""The network of SSD, its loss in training, its detections, and an over-fit to the end."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.config import SSDConfig
from apps.vision.detection.detectors.ssd.default_boxes import default_boxes, paper_shapes
from apps.vision.detection.detectors.ssd.ssd import build_ssd
from shared.common.errors import KerasuiteError
from shared.layers import ScaledL2Normalization
from tests.apps.vision.detection.detectors.scene import SIDE, check_overfit

RANDOM = np.random.default_rng(0)


def some_images(count, height, width):
    return RANDOM.uniform(0, 255, (count, height, width, 3)).astype("float32")


def box_count(height, width):
    return len(default_boxes(height, width, paper_shapes()))


# === Network ===


def test_outputs_of_any_size():
    keras.utils.set_random_seed(1)
    ssd = build_ssd("test", 5)
    for height, width in ((64, 64), (32, 96), (320, 320)):
        outputs = ssd(some_images(2, height, width), training=True)
        assert outputs["class_logits"].shape == (2, box_count(height, width), 6)
        assert outputs["offsets"].shape == (2, box_count(height, width), 4)
        # Before training every class is about as likely.
        scores = tf.nn.softmax(outputs["class_logits"])
        differences = np.abs(scores - 1 / 6)
        assert differences.max() < 0.1 and differences.mean() < 0.02


def test_every_default_box_sees_its_own_part():
    """The order of outputs is that of default_boxes: a spot moves the logits around it most."""
    ssd = build_ssd("test", 2)
    images = np.full((1, 128, 192, 3), 100.0, "float32")
    spotted = images.copy()
    spotted[:, 80:96, 136:152] = 255.0
    moved = [
        np.abs(np.asarray(b) - np.asarray(a)).sum(axis=-1)[0]
        for a, b in zip(*(ssd(x, training=False).values() for x in (images, spotted)), strict=True)
    ]
    boxes = np.asarray(default_boxes(128, 192, paper_shapes()))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * [192, 128]
    fine = np.arange(len(boxes)) < 16 * 24 * 4
    for change in moved:
        assert np.abs(centres[np.where(fine, change, 0).argmax()] - [144, 88]).max() <= 24


@pytest.mark.parametrize("name", ["vgg11", "keras:MobileNet", "alexnet"])
def test_any_backbone(name):
    ssd = build_ssd(name, 2, input_shape=(128, 160, 3))
    outputs = ssd(some_images(1, 128, 160))
    assert outputs["class_logits"].shape == (1, box_count(128, 160), 3)
    frozen = [ssd.get_layer(layer) for layer in ssd.backbone_layers]
    assert sum(layer.count_params() for layer in frozen) > 1e6
    normalised = [x for x in ssd.layers if isinstance(x, ScaledL2Normalization)]
    if name == "vgg11":
        # Its input is the last convolution of the fourth block, before the pooling.
        assert normalised[0].input is ssd.get_layer("block4_conv2").output
        assert set(normalised[0].gamma.numpy()) == {20.0}
    assert len(normalised) == (name == "vgg11")


def test_widths_of_the_extra_layers_are_the_paper_s_where_the_backbone_is_wide():
    def widths(ssd):
        return [ssd.get_layer(f"extra{number}").filters for number in (1, 2, 3)]

    with keras.StatelessScope(initialize_variables=False):
        found = widths(build_ssd("vgg16", 20)), widths(build_ssd("nano", 20))
        narrow = [w.shape[-1] for w in build_ssd("test", 1).weights if w.path.endswith("kernel")]
    keras.utils.clear_session()
    assert found == ([512, 256, 256], [256, 128, 128])
    assert min(narrow) == 16  # Narrower convolutions are not safe in training.


def test_saves_and_reloads_in_safe_mode(tmp_path):
    shapes = [[(0.3, 0.2)] * len(of_map) for of_map in paper_shapes()]
    options = SSDConfig(negatives=2.0)
    ssd = build_ssd("test", 2, options=options, shapes=shapes, iou=0.3)
    images = some_images(1, 64, 64)
    expected = ssd(images)
    ssd.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert (revived.options, revived.iou) == (options, 0.3)
    assert [list(map(tuple, of_map)) for of_map in revived.shapes] == shapes
    for name, value in revived(images).items():
        np.testing.assert_array_equal(value, expected[name])


def test_mixed_precision_answers_in_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    ssd = build_ssd("vgg11", 2, input_shape=(64, 64, 3))
    outputs = ssd(some_images(1, 64, 64))
    assert {x.dtype for x in outputs.values()} == {tf.float32}
    assert ssd.get_layer("conv4_3_normalization").output.dtype == "bfloat16"
    # Nor did they have 16 bits on their way.
    logits = np.asarray(outputs["class_logits"])
    assert (np.asarray(tf.cast(tf.cast(logits, "bfloat16"), "float32")) != logits).mean() > 0.5


def test_gradients_of_the_smallest_maps_are_finite_in_mixed_precision():
    """See `ConvNormActivation`: those of bfloat16 would be of any size."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    ssd = build_ssd("test", 2)
    kernels = [w.value for w in ssd.trainable_weights if w.path.startswith("extra")]

    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            outputs = ssd(images, training=True)
            loss = tf.reduce_mean(tf.square(outputs["class_logits"] - 1.0))
        return tape.gradient(loss, kernels)

    assert len(kernels) == 12
    for _ in range(4):
        for gradient in gradients(some_images(8, 64, 64)):
            assert np.abs(gradient).max() < 1e3


def test_mistakes_are_explained():
    with pytest.raises(KerasuiteError, match="100x64 pixels: the sides must be multiples of 32"):
        build_ssd("nano", 2, input_shape=(100, 64, 3))
    with pytest.raises(KerasuiteError, match="unknown network"):
        build_ssd("nanoo", 2)


# === Detections ===


def test_candidates_and_detections_against_numpy():
    ssd = build_ssd("test", 3)
    count = box_count(64, 64)
    logits = RANDOM.normal(0, 2, (2, count, 4)).astype("float32")
    offsets = RANDOM.normal(0, 1, (2, count, 4)).astype("float32")
    boxes, scores = ssd.candidates({"class_logits": logits, "offsets": offsets}, 64, 64)
    powers = np.exp(logits.astype("float64"))
    probabilities = (powers / powers.sum(axis=-1, keepdims=True))[..., 1:]
    defaults = np.asarray(default_boxes(64, 64, paper_shapes()))
    sides = defaults[:, 2:] - defaults[:, :2]
    for i in range(2):
        order = np.argsort(-probabilities[i].max(axis=-1), kind="stable")
        np.testing.assert_allclose(scores[i], probabilities[i][order], rtol=1e-4)
        t = offsets[i]
        centres = (defaults[:, :2] + defaults[:, 2:]) / 2 + 0.1 * t[:, :2] * sides
        halves = sides * np.exp(0.2 * t[:, 2:]) / 2
        decoded = np.concatenate([centres - halves, centres + halves], axis=1)[order]
        np.testing.assert_allclose(boxes[i], decoded, rtol=1e-4, atol=1e-5)
    images, outputs = some_images(2, 64, 64), {"class_logits": logits, "offsets": offsets}
    found = ssd.predictions(images, outputs)
    assert found["boxes"].shape == (2, 300, 4) and int(found["count"][0]) > 100
    assert set(np.asarray(found["classes"]).flat) == {0, 1, 2}
    few = ssd.detections(outputs, 64, 64, tf.constant(0.5), tf.constant(0.45), tf.constant(7))
    assert few["scores"].shape == (2, 7) and (few["scores"].numpy()[:, 0] > 0.5).all()


# === Loss ===


def test_the_mean_does_not_depend_on_how_a_batch_is_split():
    ssd = build_ssd("test", 3)
    corners = np.sort(RANDOM.uniform(0, 1, (5, 3, 2, 2)), axis=2).reshape(5, 3, 4)
    y = {
        "boxes": tf.constant(corners, tf.float32),
        "labels": tf.constant(RANDOM.integers(0, 3, (5, 3)), tf.int32),
        "mask": tf.constant(np.arange(15).reshape(5, 3) < 12),
    }
    images = some_images(5, 64, 64)
    outputs = ssd(images)

    def mean_and_weight(begin, end):
        part, given = (
            {name: value[begin:end] for name, value in values.items()} for values in (y, outputs)
        )
        loss = ssd.compute_loss(images[begin:end], part, given)
        assert set(loss) == {"class", "box"}
        return float(sum(loss.values())), float(ssd.loss_weight(images[begin:end], part))

    whole, weight = mean_and_weight(0, 5)
    parts = [mean_and_weight(0, 2), mean_and_weight(2, 5)]
    assert sum(w for _, w in parts) == weight
    assert sum(mean * w for mean, w in parts) / weight == pytest.approx(whole, rel=1e-5)


def test_weights_of_the_options_count():
    images = some_images(1, 64, 64)
    y = {"boxes": tf.constant([[[0.1, 0.1, 0.5, 0.6]]]), "labels": [[1]], "mask": [[True]]}
    y = {name: tf.convert_to_tensor(value) for name, value in y.items()}

    def terms(**options):
        keras.utils.set_random_seed(0)
        ssd = build_ssd("test", 2, options=SSDConfig(**options), kernel_regularizer="l2")
        return {k: float(v) for k, v in ssd.compute_loss(images, y, ssd(images)).items()}

    plain, other = terms(), terms(location_weight=3.0, negatives=1.0)
    assert other["box"] == pytest.approx(3 * plain["box"], rel=1e-5)
    assert other["class"] < plain["class"] and plain["penalty"] == other["penalty"] > 0
    assert terms(matching_iou=0.99)["box"] != plain["box"]
    assert terms(centre_variance=0.2, size_variance=0.4)["box"] < plain["box"]


# === Training ===


@pytest.mark.slow
def test_overfits_two_images():
    keras.utils.set_random_seed(3)
    ssd = build_ssd("test", 2, input_shape=(SIDE, SIDE, 3))
    check_overfit(ssd, shrinks=10, confidence=0.5, iou=0.45)
