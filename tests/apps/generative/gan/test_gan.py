"""The GAN's losses against NumPy, its penalty and clipping, its classes, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from apps.generative.gan.gan import GAN
from shared.engine.distribution import replicas
from shared.engine.run import save_model
from shared.engine.training.train_step import build_train_step, prepare_optimizer

SHAPE = (8, 8, 1)
MLP = {"architecture": "mlp", "latent_dim": 4, "hidden_dim": 8, "discriminator_dim": 5, "maxout": 2}
CLASSES = 3


def build(model=MLP, classes=0, rate=0.05, micro_batches=1, **objective) -> GAN:
    keras.utils.set_random_seed(1)
    objective = ObjectiveConfig(**objective)
    made = GAN(ModelConfig(**model), objective, SHAPE, classes, synchronized=True)
    optimizers = {name: keras.optimizers.SGD(rate) for name in ("generator", "discriminator")}
    made.compile(optimizers, micro_batches=micro_batches, critic_steps=objective.critic_steps)
    prepare_optimizer(made)
    return made


def batch(rows=5, critic_steps=1, classes=0, seed=0) -> dict[str, tf.Tensor]:
    generator = np.random.default_rng(seed)
    shape = (rows, critic_steps)
    values = {
        "image": np.tanh(generator.normal(size=(*shape, *SHAPE))),
        "latent": generator.normal(size=(*shape, 4)),
        "generator_latent": generator.normal(size=(*shape, 4)),
        "mix": generator.random(shape),
    }
    values = {name: tf.constant(value, tf.float32) for name, value in values.items()}
    if classes:
        values["label"] = tf.constant(generator.integers(0, classes, shape), tf.int32)
    return values


def part(of: dict, index=0) -> dict:
    """The batch that one step of the discriminator sees."""
    return {name: value[:, index] for name, value in of.items()}


def dense(layer, x):
    return x @ np.array(layer.kernel) + np.array(layer.bias)


def discriminate(model: GAN, image: np.ndarray) -> np.ndarray:
    """The maxout network in NumPy."""
    x = image.reshape(len(image), -1)
    for number in (1, 2):
        pieces = dense(model.discriminator.get_layer(f"discriminator_hidden_{number}"), x)
        x = pieces.reshape(len(x), 5, 2).max(axis=-1)
    return dense(model.discriminator.get_layer("discriminator_logits"), x)


def generate(model: GAN, latent: np.ndarray) -> np.ndarray:
    x = latent
    for number in (1, 2):
        x = np.maximum(dense(model.generators[0].get_layer(f"generator_hidden_{number}"), x), 0)
    return np.tanh(dense(model.generators[0].get_layer("generator_image"), x)).reshape(-1, *SHAPE)


def test_networks_and_losses_are_the_papers():
    model, rows = build(loss="vanilla"), part(batch())
    fakes = generate(model, rows["latent"].numpy())
    np.testing.assert_allclose(model.make_fakes(rows), fakes, atol=1e-5)
    real_scores, fake_scores = (
        1 / (1 + np.exp(-discriminate(model, x))) for x in (rows["image"].numpy(), fakes)
    )
    expected = -np.log(real_scores).mean() - np.log(1 - fake_scores).mean()
    judged = model.discriminator_losses(rows, tf.constant(fakes, tf.float32))
    assert float(judged["discriminator"]) == pytest.approx(expected, rel=1e-5)
    made = generate(model, rows["generator_latent"].numpy())
    expected = np.log(1 - 1 / (1 + np.exp(-discriminate(model, made)))).mean()
    terms, _ = model.generator_losses(rows)
    assert float(terms["adversarial"]) == pytest.approx(expected, rel=1e-5)


def test_gradient_penalty_is_that_of_finite_differences():
    model = build({**MLP, "maxout": 1}, loss="wasserstein", constraint="penalty", penalty=3.0)
    rows = part(batch(rows=2))
    fakes = model.make_fakes(rows)
    found = float(model.discriminator_losses(rows, fakes)["penalty"])
    mix = rows["mix"].numpy().reshape(-1, 1, 1, 1)
    mixed = (mix * rows["image"].numpy() + (1 - mix) * fakes.numpy()).astype("float64")
    moves = 1e-2 * np.eye(64).reshape(64, *SHAPE)
    squares = []
    for picture in mixed:
        up, down = (
            np.asarray(model.judge((picture + sign * moves).astype("float32")))[:, 0]
            for sign in (1, -1)
        )
        squares.append((np.linalg.norm((up - down) / 2e-2) - 1) ** 2)
    assert found == pytest.approx(3.0 * np.mean(squares), rel=2e-2)


def train(model, strategy, data):
    step = build_train_step(model, strategy, None)
    results = []
    for rows in data:
        means = step(replicas.split(strategy, rows))
        results.append({k: float(value) / float(count) for k, (value, count) in means.items()})
    return results


@pytest.mark.parametrize("constraint", [pytest.param("clip", marks=pytest.mark.slow), "penalty"])
def test_two_devices_and_micro_batches_compute_what_one_step_does(two_devices, constraint):
    """Uneven batches with classes."""
    single = tf.distribute.get_strategy()
    objective = {"loss": "wasserstein", "constraint": constraint, "critic_steps": 2, "clip": 0.05}
    data = [batch(5, 2, CLASSES, seed) for seed in range(3)]
    one = build(classes=CLASSES, **objective)
    expected = train(one, single, data)
    halves = build(classes=CLASSES, micro_batches=2, **objective)
    with two_devices.scope():
        two = build(classes=CLASSES, **objective)
    for model, strategy in ((halves, single), (two, two_devices)):
        for got, wanted in zip(train(model, strategy, data), expected, strict=True):
            assert got == pytest.approx(wanted, rel=1e-4, abs=1e-6)
        for left, right in zip(one.weights, model.weights, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    if constraint == "clip":
        largest = max(np.abs(w).max() for w in one.discriminator.trainable_variables)
        assert largest == pytest.approx(0.05)


def test_classes_change_pictures_and_logits():
    model = build(classes=CLASSES)
    latent = tf.random.stateless_normal((2, 4), (0, 1))
    first, second = (model({"latent": latent, "label": tf.constant([n, n])}) for n in (0, 1))
    assert np.abs(first - second).max() > 1e-3
    image = part(batch(2))["image"]
    logits = [np.asarray(model.judge(image, tf.constant([n, n]))) for n in (0, 1)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-4


def test_a_saved_model_is_the_same(tmp_path):
    model = build(classes=CLASSES)
    save_model(model, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    x = {"latent": tf.ones((2, 4)), "label": tf.constant([0, 2])}
    np.testing.assert_array_equal(model(x), loaded(x))
