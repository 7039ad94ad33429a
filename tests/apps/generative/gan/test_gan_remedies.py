"""Remedies against collapse: unrolled gradients, several generators, an encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.generative.gan.build import build_gan
from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from apps.generative.gan.remedies.multi_agent_gan import chosen_generator, mean_cosine
from shared.engine.run import save_model
from shared.engine.training.train_step import prepare_optimizer
from tests.apps.generative.gan.test_gan import MLP, SHAPE, batch, part, train

RANDOM = np.random.default_rng(0)


def build(remedy, model=MLP, rate=0.05, **objective):
    keras.utils.set_random_seed(1)
    objective = ObjectiveConfig(remedy=remedy, **objective)
    made = build_gan(ModelConfig(**model), objective, SHAPE, synchronized=True)
    optimizers = {name: keras.optimizers.SGD(rate) for name in ("generator", "discriminator")}
    made.compile(optimizers, critic_steps=objective.critic_steps)
    prepare_optimizer(made)
    return made


# === Unrolled GAN ===

# A linear discriminator and a linear generator: all derivatives are written out by hand.
LINEAR = {**MLP, "hidden_layers": 1, "hidden_dim": 3, "discriminator_dim": 2, "maxout": 1}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unrolled_loss(weights, real, fakes, steps, rate, kind):
    """Loss of the generator behind hand-written steps of D(x) = v . leaky(x W + b) + c."""
    kernel, bias, last, constant = (np.array(weight, np.float64) for weight in weights)

    def forward(x):
        hidden = x @ kernel + bias
        active = np.where(hidden > 0, hidden, 0.2 * hidden)
        return hidden, active, (active @ last + constant)[:, 0]

    for _ in range(steps):
        gradients = [np.zeros_like(value) for value in (kernel, bias, last, constant)]
        for x, sign in ((real, -1), (fakes, 1)):
            hidden, active, logit = forward(x)
            # d/dl of softplus(sign * l), and the mean over the rows.
            slope = (sign * sigmoid(sign * logit) / len(x))[:, np.newaxis]
            back = (slope @ last.T) * np.where(hidden > 0, 1.0, 0.2)
            for total, part_of in zip(
                gradients, (x.T @ back, back.sum(0), active.T @ slope, slope.sum(0)), strict=True
            ):
                total += part_of
        kernel, bias, last, constant = (
            value - rate * gradient
            for value, gradient in zip((kernel, bias, last, constant), gradients, strict=True)
        )
    real_logits, fake_logits = forward(real)[2], forward(fakes)[2]
    of_fakes = -np.log1p(np.exp(fake_logits)).mean()
    if kind == "non-saturating":
        of_fakes = np.log1p(np.exp(-fake_logits)).mean()
    return of_fakes - np.log1p(np.exp(-real_logits)).mean()


@pytest.mark.parametrize(("steps", "kind"), [(1, "vanilla"), (3, "non-saturating")])
def test_unrolled_loss_and_gradient_are_those_of_a_loop_by_hand(steps, kind):
    """The gradient with respect to the fakes, through all steps, by finite differences."""
    model = build("unrolled", LINEAR, unrolled_steps=steps, unrolled_rate=0.5, loss=kind)
    real = RANDOM.normal(size=(4, 64)) * 0.3
    fakes = RANDOM.normal(size=(4, 64)) * 0.3
    weights = [np.array(weight) for weight in model.discriminator.trainable_variables]

    def by_hand(values):
        return unrolled_loss(weights, real, values, steps, 0.5, kind)

    image = tf.constant(real.reshape(-1, *SHAPE), tf.float32)
    made = tf.constant(fakes.reshape(-1, *SHAPE), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(made)
        loss = model.unrolled_loss(image, made)
    assert float(loss) == pytest.approx(by_hand(fakes), rel=1e-5)
    found = tape.gradient(loss, made).numpy().reshape(4, 64)
    for row, column in ((0, 0), (1, 17), (3, 63)):
        move = np.zeros_like(fakes)
        move[row, column] = 1e-5
        slope = (by_hand(fakes + move) - by_hand(fakes - move)) / 2e-5
        assert found[row, column] == pytest.approx(slope, rel=2e-3, abs=1e-6)
    # The discriminator itself has not moved.
    for before, weight in zip(weights, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, weight)


# === MAD-GAN ===


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def test_generators_are_told_apart_and_driven_apart():
    model = build("mad", generators=3, similarity=0.5)
    rows = part(batch())
    fakes = model.make_fakes(rows)
    assert fakes.shape == (5, 3, *SHAPE)
    scores = [log_softmax(np.asarray(model.judge(fakes[:, n]))) for n in range(3)]
    real = log_softmax(np.asarray(model.judge(rows["image"])))
    judged = float(model.discriminator_losses(rows, fakes)["discriminator"])
    expected = -sum(scores[n][:, n].mean() for n in range(3)) - real[:, 3].mean()
    assert judged == pytest.approx(expected, rel=1e-5)
    terms, made = model.generator_losses(rows)
    taken = [log_softmax(np.asarray(model.judge(made[:, n])))[:, 3].mean() for n in range(3)]
    assert float(terms["adversarial"]) == pytest.approx(-np.mean(taken), rel=1e-5)
    flat = made.numpy().reshape(5, 3, -1)
    unit = flat / np.linalg.norm(flat, axis=-1, keepdims=True)
    cosines = [(unit[:, i] * unit[:, j]).sum(-1) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert float(terms["similarity"]) == pytest.approx(0.5 * np.mean(cosines), rel=1e-4)
    assert float(mean_cosine(made)) == pytest.approx(np.mean(cosines), rel=1e-4)


def test_each_picture_is_one_generators_and_all_are_used():
    model = build("mad", generators=3)
    latent = tf.random.stateless_normal((300, 4), (0, 1))
    chosen = chosen_generator(latent, 3).numpy()
    assert np.bincount(chosen, minlength=3).min() > 70
    pictures, of_all = model({"latent": latent}).numpy(), model.of_all(latent).numpy()
    np.testing.assert_array_equal(pictures, of_all[np.arange(300), chosen])


# === MRGAN ===


def test_pictures_drawn_again_are_measured_and_judged():
    model = build("mr", reconstruction=0.5, missed_modes=0.25)
    rows = part(batch())
    terms, _ = model.generator_losses(rows)
    again = model.generate(model.encoder(rows["image"]))
    error = np.square(rows["image"] - again).mean()
    assert float(terms["reconstruction"]) == pytest.approx(0.5 * error, rel=1e-5)
    believed = np.log1p(np.exp(-np.asarray(model.judge(again)))).mean()
    assert float(terms["missed_modes"]) == pytest.approx(0.25 * believed, rel=1e-5)
    before = [np.array(weight) for weight in model.encoder.trainable_variables]
    train(model, tf.distribute.get_strategy(), [batch()])
    moved = zip(before, model.encoder.trainable_variables, strict=True)
    assert any(np.abs(old - new).max() > 0 for old, new in moved)


# === All ===


# The unrolled steps alone have sums over the replicas of their own.
SLOW = [pytest.param(remedy, marks=pytest.mark.slow) for remedy in ("mad", "mr")]


@pytest.mark.parametrize("remedy", ["unrolled", *SLOW])
def test_two_devices_compute_what_one_does(two_devices, remedy):
    single = tf.distribute.get_strategy()
    data = [batch(5, 2, seed=seed) for seed in range(2)]
    settings = {"critic_steps": 2, "unrolled_steps": 2, "generators": 2}
    one = build(remedy, **settings)
    with two_devices.scope():
        two = build(remedy, **settings)
    expected = train(one, single, data)
    for got, wanted in zip(train(two, two_devices, data), expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    for left, right in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("remedy", ["unrolled", "mad", "mr"])
def test_a_saved_model_is_the_same(remedy, tmp_path):
    model = build(remedy)
    save_model(model, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    x = {"latent": tf.ones((2, 4))}
    np.testing.assert_array_equal(model(x), loaded(x))
