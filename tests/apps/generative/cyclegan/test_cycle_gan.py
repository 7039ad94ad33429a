"""CycleGAN's losses against NumPy, its gradient penalty, one side, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.generative.cyclegan.config import LossConfig, ModelConfig
from apps.generative.cyclegan.cycle_gan import (
    DRAWS,
    CycleGAN,
)
from shared.engine.distribution import replicas
from shared.engine.run import save_model
from shared.engine.training.gan_model import input_gradient
from shared.engine.training.train_step import build_train_step, prepare_optimizer
from shared.image.levels import from_levels, to_levels
from shared.losses.gradient_penalty import gradient_penalty

SIDE = 32
NETWORKS = ModelConfig(blocks=1, width=12, discriminator_width=12)
EIGHT = {
    f"{kind}_{side}"
    for kind in ("adversarial", "cycle", "identity", "discriminator")
    for side in ("a", "b")
}


def batch(rows=3, seed=0):
    generator = np.random.default_rng(seed)
    images = {side: generator.uniform(-1, 1, (rows, SIDE, SIDE, 3)) for side in ("a", "b")}
    images["draws"] = generator.random((rows, DRAWS))
    return {name: tf.constant(value, tf.float32) for name, value in images.items()}


def build(strategy=None, rate=0.01, micro_batches=1, **loss):
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    with (strategy or tf.distribute.get_strategy()).scope():
        model = CycleGAN(NETWORKS, LossConfig(**loss), SIDE)
        names = ("generator", "discriminator")
        optimizers = {name: keras.optimizers.SGD(rate) for name in names}
        model.compile(optimizers, micro_batches=micro_batches)
        prepare_optimizer(model)
    return model


def steps(model, strategy, batches):
    step = build_train_step(model, strategy, None)
    results = []
    for one in batches:
        means = step(replicas.split(strategy, one))
        results.append({name: float(v) / float(count) for name, (v, count) in means.items()})
    return results


# === The paper's objective, in NumPy ===


def softplus(x):
    return np.log1p(np.exp(x))


TO_REAL = {
    "least-squares": lambda d: ((d - 1) ** 2).mean(),
    "non-saturating": lambda d: softplus(-d).mean(),
    "wasserstein": lambda d: -d.mean(),
}
TO_FAKE = {
    "least-squares": lambda d: (d**2).mean(),
    "non-saturating": lambda d: softplus(d).mean(),
    "wasserstein": lambda d: d.mean(),
}


def by_hand(model, x, kind, cycle, identity):
    def apply(network, images):
        return np.asarray(network(images), np.float64)

    a, b = (np.asarray(x[side], np.float64) for side in ("a", "b"))
    fake_b, fake_a = apply(model.a2b, a), apply(model.b2a, b)
    judge_a, judge_b = model.discriminator_a, model.discriminator_b
    expected = {
        "adversarial_a": TO_REAL[kind](apply(judge_a, fake_a)),
        "adversarial_b": TO_REAL[kind](apply(judge_b, fake_b)),
        "cycle_a": cycle * np.abs(apply(model.b2a, fake_b) - a).mean(),
        "cycle_b": cycle * np.abs(apply(model.a2b, fake_a) - b).mean(),
        "identity_a": cycle * identity * np.abs(apply(model.b2a, a) - a).mean(),
        "identity_b": cycle * identity * np.abs(apply(model.a2b, b) - b).mean(),
    }
    for side, judge, real, fake in (("a", judge_a, a, fake_a), ("b", judge_b, b, fake_b)):
        both = TO_REAL[kind](apply(judge, real)) + TO_FAKE[kind](apply(judge, fake))
        expected[f"discriminator_{side}"] = both if kind == "wasserstein" else both / 2
    return expected


@pytest.mark.parametrize("kind", ["least-squares", "non-saturating", "wasserstein"])
def test_all_eight_terms_equal_the_definition(kind):
    model = build(adversarial=kind, cycle=7.0, identity=0.3, gradient_penalty=0.0, pool_size=0)
    x = batch()
    expected = by_hand(model, x, kind, 7.0, 0.3)
    terms, fakes = model.generator_losses(x)
    terms |= model.discriminator_losses(x, model.fakes_to_judge(x, fakes))
    assert set(terms) == EIGHT
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize(("sides", "passes"), [("both", 4), ("a2b", 2)])
def test_without_identity_losses_no_generator_sees_its_own_domain(sides, passes, monkeypatch):
    model = build(cycle=7.0, identity=0.0, sides=sides, pool_size=0)
    x = batch()
    expected = by_hand(model, x, "least-squares", 7.0, 0.0) if sides == "both" else None
    seen = []
    for name in ("a2b", "b2a"):
        network = getattr(model, name)

        def counted(images, network=network, name=name):
            seen.append(name)
            return network(images)

        monkeypatch.setattr(model, name, counted)
    terms, fakes = model.generator_losses(x)
    terms |= model.discriminator_losses(x, model.fakes_to_judge(x, fakes))
    assert len(seen) == passes
    assert not any(name.startswith("identity") for name in terms)
    if expected:
        assert all(expected.pop(f"identity_{side}") == 0 for side in ("a", "b"))
        assert {name: float(value) for name, value in terms.items()} == pytest.approx(
            expected, rel=1e-4
        )
    # Evaluation measures the identity error of every model.
    assert "same_b" in model(x)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["least-squares", "wasserstein"])
def test_two_devices_compute_what_one_does(two_devices, kind):
    """Uneven rows, and a pool that is full after the second batch."""
    data = [batch(5, seed) for seed in range(4)]
    # Slow steps: a GAN soon magnifies what is but rounding.
    loss = {"adversarial": kind, "pool_size": 6, "rate": 1e-3}
    one = steps(build(**loss), tf.distribute.get_strategy(), data)
    two = steps(build(two_devices, **loss), two_devices, data)
    for got, expected in zip(two, one, strict=True):
        assert got == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.slow
def test_micro_batches_compute_what_the_whole_batch_does():
    """Instance normalisation knows no other rows; the pool is full after the second batch."""
    data = [batch(5, seed) for seed in range(3)]
    single = tf.distribute.get_strategy()
    whole = steps(build(pool_size=6, rate=1e-3), single, data)
    parts = steps(build(pool_size=6, rate=1e-3, micro_batches=2), single, data)
    for got, expected in zip(parts, whole, strict=True):
        assert got == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_old_fakes_are_judged_once_the_pool_is_full():
    model = build(pool_size=3)
    first = batch(3)
    fakes = {"fake_a": tf.zeros((3, SIDE, SIDE, 3)), "fake_b": tf.ones((3, SIDE, SIDE, 3))}
    model.fakes_to_judge(first, fakes)
    # All swap, with the slot that the second draw says.
    swaps = first | {"draws": tf.constant([[0.9, 0.5, 0.9, 0.5, 0.0, 0.0]] * 3)}
    newer = {name: image + 5.0 for name, image in fakes.items()}
    judged = model.fakes_to_judge(swaps, newer)
    # The old image of slot 1 first, then the newer ones that took its slot.
    np.testing.assert_array_equal(judged["fake_a"][:, 0, 0, 0], [0.0, 5.0, 5.0])
    np.testing.assert_array_equal(judged["fake_b"][:, 0, 0, 0], [1.0, 6.0, 6.0])


def test_gradient_penalty_of_a_linear_critic():
    """Its slope is the length of its weights, wherever it is measured."""
    kernel = np.random.default_rng(0).normal(size=(1, 1, 3, 1)).astype("float32")
    critic = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)])
    critic.layers[0].set_weights([kernel, np.zeros(1)])
    real, fake = (tf.random.stateless_uniform((4, 8, 8, 3), (0, n)) for n in (1, 2))
    slope = np.linalg.norm(kernel) / 8  # the mean over 64 pixels has 64 gradients of |w| / 64
    penalty = gradient_penalty(
        input_gradient(critic), real, fake, tf.constant([0.0, 0.3, 0.6, 0.9])
    )
    assert float(penalty) == pytest.approx((slope - 1) ** 2, rel=1e-4)


def test_one_side_trains_one_direction():
    model = build(sides="a2b", pool_size=0)
    before = {weight.path: np.array(weight) for weight in model.weights}
    (means,) = steps(model, tf.distribute.get_strategy(), [batch()])
    terms = {"adversarial_b", "cycle_a", "identity_b", "discriminator_b"}
    assert set(means) == terms | {"loss", "discriminator_loss"}
    # All three networks are trained: B to A only to come back.
    assert all((np.array(w) != before[w.path]).any() for w in model.weights if "kernel" in w.path)
    assert set(model(batch())) == {"fake_b", "cycled_a", "same_b"}


def test_steps_report_all_terms_with_their_sums_and_lower_the_cycle_loss():
    model = build(pool_size=2)
    names = ("generator", "discriminator")
    model.compile({name: keras.optimizers.Adam(2e-3, 0.5) for name in names})
    prepare_optimizer(model)
    smooth = {
        side: tf.image.resize(tf.random.stateless_uniform((2, 3, 3, 3), (0, seed), -1, 1), (32, 32))
        for seed, side in enumerate(("a", "b"))
    }
    means = steps(model, tf.distribute.get_strategy(), [smooth | {"draws": tf.zeros((2, 6))}] * 40)
    first, judged = means[0], {name for name in EIGHT if name.startswith("discriminator")}
    assert set(first) == EIGHT | {"loss", "discriminator_loss"}
    assert first["loss"] == pytest.approx(sum(first[name] for name in EIGHT - judged), rel=1e-5)
    assert first["discriminator_loss"] == pytest.approx(sum(first[n] for n in judged), rel=1e-5)
    assert means[-1]["cycle_a"] + means[-1]["cycle_b"] < 0.5 * (
        means[0]["cycle_a"] + means[0]["cycle_b"]
    )


@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_stays_finite(precision):
    keras.utils.clear_session()
    keras.config.set_dtype_policy(precision)
    model = CycleGAN(NETWORKS, LossConfig(pool_size=2), SIDE)
    model.compile({name: keras.optimizers.Adam(1e-3) for name in ("generator", "discriminator")})
    prepare_optimizer(model)
    results = steps(model, tf.distribute.get_strategy(), [batch(2, seed) for seed in range(4)])
    assert all(np.isfinite(list(means.values())).all() for means in results)
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)


def test_saves_and_loads(tmp_path):
    model = build()
    save_model(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    x = batch(1)
    for name, image in model(x).items():
        np.testing.assert_allclose(again(x)[name], image, atol=1e-6)
    assert sum(w.shape == (50, SIDE, SIDE, 3) for w in again.variables) == 0  # no pool


def test_levels_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(to_levels(from_levels(levels)), levels)
    assert from_levels(levels).numpy().min() == -1.0
    assert from_levels(levels).numpy().max() == 1.0
