"""The GAN model's training step: replicas, uneven batches, precision, checkpoints."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.distribution import replicas
from shared.engine.run import load_keras_weights, save_model
from shared.engine.training.checkpoint import (
    CheckpointFolder,
    refuse_infinite,
    training_variables,
)
from shared.engine.training.gan_model import GANModel
from shared.engine.training.train import learning_rates
from shared.engine.training.train_step import build_train_step, prepare_optimizer
from shared.engine.training.weight_average import WeightAverage

NAMES = ("generator", "discriminator")


class Count:
    """State that only training needs: the number of fakes that were judged."""

    def __init__(self):
        self.total = keras.Variable(
            0.0, trainable=False, synchronization="on_read", aggregation="only_first_replica"
        )
        self.variables = [self.total]


@keras.saving.register_keras_serializable(package="kerasuite-tests")
class ToyGAN(GANModel):
    """Noise of four numbers to points of three."""

    def __init__(self, **kwargs):
        generator = self.network("generator", 4, [8, 3])
        discriminator = self.network("discriminator", 3, [8, 1])
        super().__init__([generator], [discriminator], **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.judged = Count()
        self.built = True

    @staticmethod
    def network(name, inputs, units):
        layers = [keras.layers.Dense(n, activation="tanh") for n in units[:-1]]
        layers += [keras.layers.Dense(units[-1])]
        return keras.Sequential([keras.Input((inputs,)), *layers], name=name)

    def call(self, x):
        return self.generator(x["noise"])

    def generator_losses(self, batch):
        fakes = self.generator(batch["noise"], training=True)
        fooled = tf.reduce_mean(tf.square(tf.cast(self.discriminator(fakes), tf.float32) - 1.0))
        near = tf.reduce_mean(tf.abs(tf.cast(fakes, tf.float32) - batch["real"]))
        return {"adversarial": fooled, "near": 0.1 * near}, fakes

    def fakes_to_judge(self, batch, fakes):
        self.judged.total.assign(self.judged.total.value + 1.0)
        return fakes

    def discriminator_losses(self, batch, fakes):
        real = tf.cast(self.discriminator(batch["real"]), tf.float32)
        fake = tf.cast(self.discriminator(fakes), tf.float32)
        return {"discriminator": tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(fake**2)}

    def training_state(self):
        return [self.judged]


def build(
    strategy,
    optimizer="sgd",
    clip_norm=0.0,
    precision="float32",
    micro_batches=1,
    critic_steps=0,
    model_class=ToyGAN,
):
    keras.utils.clear_session()  # Names count from the start, as in a new process.
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(1)
    make = {"sgd": lambda: keras.optimizers.SGD(0.1), "adam": lambda: keras.optimizers.Adam(0.01)}
    with strategy.scope():
        model = model_class()
        optimizers = {name: make[optimizer]() for name in NAMES}
        model.compile(optimizers, clip_norm, micro_batches, critic_steps)
        prepare_optimizer(model)
    return model


class ClippedGAN(ToyGAN):
    """Makes fakes for each step of the discriminator and clips its weights behind it."""

    def make_fakes(self, batch):
        return self.generator(batch["noise"], training=True)

    def after_discriminator_step(self):
        for weight in self.discriminator.trainable_variables:
            weight.assign(tf.clip_by_value(weight.value, -0.3, 0.3))


def batches(rows, count):
    generator = np.random.default_rng(0)
    return [
        {
            "noise": tf.constant(generator.normal(size=(rows, 4)), tf.float32),
            "real": tf.constant(generator.normal(2.0, 1.0, size=(rows, 3)), tf.float32),
        }
        for _ in range(count)
    ]


def grouped_batches(rows, steps, count):
    """Batches in which each row holds an example for each step of the discriminator."""
    return [
        {name: tf.reshape(value, (rows, steps, -1)) for name, value in batch.items()}
        for batch in batches(rows * steps, count)
    ]


def train(model, strategy, data):
    """The means of every step."""
    step = build_train_step(model, strategy, None)
    results = []
    for batch in data:
        means = step(replicas.split(strategy, batch))
        results.append({k: float(value) / float(count) for k, (value, count) in means.items()})
    return results


def weights_of(model):
    return {weight.path: np.array(weight) for weight in model.weights}


def by_hand(model, batch, rate):
    """One step of SGD on both sides, in plain NumPy-like steps; returns the losses."""
    with tf.GradientTape() as tape:
        terms, fakes = model.generator_losses(batch)
        loss = terms["adversarial"] + terms["near"]
    variables = [v.value for v in model.generator.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * gradient)
    with tf.GradientTape() as tape:
        judged = model.discriminator_losses(batch, tf.constant(fakes.numpy()))["discriminator"]
    variables = [v.value for v in model.discriminator.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(judged, variables), strict=True):
        variable.assign_sub(rate * gradient)
    return float(loss), float(judged)


def test_a_step_is_the_generators_then_the_discriminators():
    single = tf.distribute.get_strategy()
    model, twin = build(single), build(single)
    data = batches(6, 3)
    for means, batch in zip(train(model, single, data), data, strict=True):
        loss, judged = by_hand(twin, batch, 0.1)
        assert means["loss"] == pytest.approx(loss, rel=1e-5)
        assert means["loss"] == pytest.approx(means["adversarial"] + means["near"], rel=1e-6)
        assert means["discriminator_loss"] == pytest.approx(judged, rel=1e-5)
    for one, two in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
@pytest.mark.parametrize("rows", [8, 5])
def test_two_devices_compute_what_one_does(two_devices, rows, clip_norm):
    single = tf.distribute.get_strategy()
    one, two = build(single, clip_norm=clip_norm), build(two_devices, clip_norm=clip_norm)
    data = batches(rows, 4)
    losses, expected = train(two, two_devices, data), train(one, single, data)
    for got, wanted in zip(losses, expected, strict=True):
        assert got == pytest.approx(wanted, rel=2e-5)
    for left, right in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 3, 20])
@pytest.mark.parametrize("clip_norm", [0.0, 0.05])
def test_micro_batches_compute_what_the_whole_batch_does(parts, clip_norm):
    """Seven rows: unequal parts, and no more than rows; the fakes are judged all at once."""
    single = tf.distribute.get_strategy()
    one, many = (build(single, clip_norm=clip_norm, micro_batches=count) for count in (1, parts))
    data = batches(7, 3)
    losses, expected = train(many, single, data), train(one, single, data)
    for got, wanted in zip(losses, expected, strict=True):
        assert got == pytest.approx(wanted, rel=2e-5)
    for left, right in zip(one.weights, many.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    assert float(many.judged.total) == 3


def critic_first_by_hand(model, batch, steps, rate):
    """The discriminator's steps and clipping, then the generator's step, of plain SGD."""
    for index in range(steps):
        part = {name: value[:, index] for name, value in batch.items()}
        fakes = tf.constant(model.make_fakes(part).numpy())
        with tf.GradientTape() as tape:
            judged = model.discriminator_losses(part, fakes)["discriminator"]
        variables = [v.value for v in model.discriminator.trainable_variables]
        for variable, gradient in zip(variables, tape.gradient(judged, variables), strict=True):
            variable.assign(np.clip(variable - rate * gradient, -0.3, 0.3))
    with tf.GradientTape() as tape:
        terms, _ = model.generator_losses(part)
        loss = terms["adversarial"] + terms["near"]
    variables = [v.value for v in model.generator.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * gradient)
    return float(loss), float(judged)


def test_critic_steps_come_before_the_generators():
    single = tf.distribute.get_strategy()
    model, twin = (build(single, critic_steps=3, model_class=ClippedGAN) for _ in range(2))
    data = grouped_batches(5, 3, 3)
    for means, batch in zip(train(model, single, data), data, strict=True):
        loss, judged = critic_first_by_hand(twin, batch, 3, 0.1)
        assert means["loss"] == pytest.approx(loss, rel=1e-5)
        assert means["discriminator_loss"] == pytest.approx(judged, rel=1e-5)
    for one, two in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    largest = max(np.abs(weight).max() for weight in model.discriminator.trainable_variables)
    assert largest == pytest.approx(0.3)


@pytest.mark.parametrize("rows", [6, 5])
def test_critic_steps_on_two_devices_and_in_micro_batches(two_devices, rows):
    single = tf.distribute.get_strategy()
    data = grouped_batches(rows, 3, 3)
    settings = {"critic_steps": 3, "model_class": ClippedGAN}
    one = build(single, **settings)
    expected = train(one, single, data)
    for strategy, parts in ((two_devices, 1), (single, 2)):
        other = build(strategy, micro_batches=parts, **settings)
        for got, wanted in zip(train(other, strategy, data), expected, strict=True):
            assert got == pytest.approx(wanted, rel=2e-5)
        for left, right in zip(one.weights, other.weights, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-6)


def test_clipping_bounds_the_step_of_each_side():
    single = tf.distribute.get_strategy()
    model = build(single, clip_norm=0.05)
    before = weights_of(model)
    train(model, single, batches(6, 1))
    for network in (model.generator, model.discriminator):
        moved = [np.array(w) - before[w.path] for w in network.weights]
        norm = np.sqrt(sum((change**2).sum() for change in moved))
        assert norm == pytest.approx(0.1 * 0.05, rel=1e-3)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_stays_finite_and_learns(precision):
    single = tf.distribute.get_strategy()
    model = build(single, "adam", precision=precision)
    # Large numbers overflow in float16 until the loss scale has fallen.
    data = [{**b, "real": 50.0 * b["real"]} for b in batches(8, 40)]
    losses = train(model, single, data)
    kinds = {type(optimizer) for optimizer in model.optimizers.values()}
    scaled = {keras.optimizers.LossScaleOptimizer}
    assert (kinds == scaled) == (precision == "mixed_float16")
    assert all(np.isfinite(value).all() for value in weights_of(model).values())
    assert losses[-1]["near"] < losses[0]["near"]


@pytest.mark.parametrize("critic_steps", [0, 2])
def test_resumed_training_ends_in_the_same_bits(tmp_path, critic_steps):
    single = tf.distribute.get_strategy()
    data = grouped_batches(6, critic_steps, 6) if critic_steps else batches(6, 6)
    settings = {"critic_steps": critic_steps, "model_class": ClippedGAN}
    whole = build(single, "adam", **settings)
    train(whole, single, data)
    first = build(single, "adam", **settings)
    train(first, single, data[:3])
    folder = CheckpointFolder(tmp_path)
    folder.save(3, training_variables(first), {"step": 3})
    second = build(single, "adam", **settings)
    assert folder.load_latest(training_variables(second)) == {"step": 3}
    train(second, single, data[3:])
    expected = training_variables(whole)
    groups = {name.partition("/")[0] for name in expected}
    assert groups == {"model", "generator", "discriminator", "state_0"}
    for one, two in zip(expected.values(), training_variables(second).values(), strict=True):
        np.testing.assert_array_equal(one, two, err_msg=one.path)
    assert float(second.judged.total) == (0 if critic_steps else 6)


def test_average_holds_the_generators_only():
    single = tf.distribute.get_strategy()
    model = build(single)
    average = WeightAverage(model, 0.9)
    assert [s.path for s in average.sources] == [w.path for w in model.generator.weights]


def test_saved_model_has_no_optimizers(tmp_path):
    single = tf.distribute.get_strategy()
    model = build(single, "adam")
    train(model, single, batches(6, 1))
    save_model(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        file.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        assert not any("adam" in name for name in _names(file))
    assert set(model.optimizers) == set(NAMES)
    fresh = ToyGAN()
    load_keras_weights(fresh, tmp_path / "model.keras")
    for one, two in zip(model.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def _names(file):
    names = []
    file.visit(names.append)
    return names


def test_learning_rates_of_all_optimizers_are_recorded():
    model = ToyGAN()
    rates = {"generator": 0.5, "discriminator": 0.25}
    model.compile({name: keras.optimizers.SGD(rate) for name, rate in rates.items()})
    expected = {"learning_rate": 0.5, "learning_rate_discriminator": 0.25}
    assert learning_rates(model) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_checkpoint_with_bad_weights_never_becomes_the_newest(tmp_path, bad):
    model = build(tf.distribute.get_strategy())
    folder = CheckpointFolder(tmp_path)
    folder.save(1, training_variables(model), {"step": 1})
    weight = model.discriminator.weights[0]
    weight.assign(np.full(weight.shape, bad, np.float32))
    with pytest.raises(KerasuiteError, match=f"{weight.path}.* after step 2.*last checkpoint"):
        folder.save(2, training_variables(model), {"step": 2})
    assert [path.name for path in folder.paths()] == ["step-000000001.npz"]
    assert folder.load_latest(training_variables(model)) == {"step": 1}
    assert np.isfinite(weight).all()


def test_losses_that_are_nan_too_are_named():
    weights = {"generator/kernel": np.array([np.nan])}
    with pytest.raises(KerasuiteError, match="after step 7.*losses loss, adversarial.: training"):
        refuse_infinite(weights, 7, {"loss": np.nan, "near": 1.0, "adversarial": np.inf})


def test_needs_both_optimizers():
    with pytest.raises(ValueError, match="optimisers"):
        ToyGAN().compile({"generator": keras.optimizers.SGD(0.1)})
