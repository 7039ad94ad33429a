"""Terms of the losses against NumPy, SciPy and scikit-learn; two devices against one."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from scipy.special import expit, logsumexp
from sklearn.metrics import roc_auc_score

from apps.generative.autoencoder import bounds
from apps.generative.autoencoder.autoencoder import Autoencoder
from apps.generative.autoencoder.coder import Coder
from apps.generative.autoencoder.config import LossConfig, ModelConfig
from apps.generative.autoencoder.evaluator import auroc
from apps.generative.autoencoder.sparsity import l1_penalty, rate_divergence

SHAPE = (4, 4, 1)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def small(kind="variational", shape=SHAPE, code=3, loss=None, **model):
    config = ModelConfig(kind=kind, code=code, hidden_dim=6, num_layers=1, **model)
    return Autoencoder(config, LossConfig(**loss or {}), shape)


def normals(generator, *shapes):
    return [generator.normal(size=shape).astype(np.float32) for shape in shapes]


# === Terms ===


def test_divergence_from_the_prior(generator):
    """Against the integral, number by number."""
    mean, log_variance = normals(generator, (2, 3), (2, 3))
    grid = np.linspace(-12, 12, 20001)
    truth = np.zeros(2)
    for (row, column), m in np.ndenumerate(mean):
        q = scipy.stats.norm(m, np.exp(0.5 * log_variance[row, column]))
        difference = q.logpdf(grid) - scipy.stats.norm.logpdf(grid)
        truth[row] += np.trapezoid(q.pdf(grid) * difference, grid)
    found = bounds.kl_from_standard_normal(mean, log_variance)
    np.testing.assert_allclose(found, truth, rtol=1e-4)


def test_likelihoods_equal_scipy(generator):
    values, mean, log_variance = normals(generator, (2, 3, 2), (2, 3, 2), (2, 3, 2))
    truth = scipy.stats.norm.logpdf(values, mean, np.exp(0.5 * log_variance)).sum(axis=(1, 2))
    np.testing.assert_allclose(bounds.log_normal(values, mean, log_variance), truth, rtol=1e-4)
    binary = (values > 0).astype(np.float32)
    truth = scipy.stats.bernoulli.logpmf(binary, expit(mean)).sum(axis=(1, 2))
    np.testing.assert_allclose(bounds.log_bernoulli(binary, mean), truth, rtol=1e-4)


def test_importance_weighted_bound_equals_numpy(generator):
    (weights,) = normals(generator, (7, 3))
    truth = np.log(np.exp(weights.astype(np.float64)).mean(axis=0))
    np.testing.assert_allclose(bounds.importance_weighted_bound(weights), truth, rtol=1e-5)


def test_sparsity_penalties_equal_numpy(generator):
    (code,) = normals(generator, (5, 3))
    np.testing.assert_allclose(l1_penalty(code), np.abs(code).sum(axis=1), rtol=1e-6)
    rates = expit(code).mean(axis=0)
    coin = [np.array([0.05, 0.95]), np.stack([rates, 1 - rates], axis=1)]
    truth = sum(scipy.stats.entropy(coin[0], other) for other in coin[1])
    np.testing.assert_allclose(rate_divergence(rates, 0.05), truth, rtol=1e-5)
    assert float(rate_divergence(np.full(3, 0.05, np.float32), 0.05)) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(rate_divergence(np.array([0.0, 1.0], np.float32), 0.05))


def test_auroc_is_that_of_errors():
    usual, unusual = np.array([0.1, 0.4, 0.2, 0.3]), np.array([0.35, 0.9])
    # Of the eight pairs seven are in order.
    assert auroc(usual, unusual) == pytest.approx(7 / 8)
    assert auroc(usual, unusual) == roc_auc_score([0, 0, 0, 0, 1, 1], [*usual, *unusual])


# === Models ===


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_variational_loss_is_the_negative_bound(generator, likelihood):
    """Loss, its terms and the bound of one sample, against NumPy."""
    model = small(loss={"likelihood": likelihood, "beta": 1.0})
    pictures = generator.uniform(size=(5, *SHAPE)).astype(np.float32)
    (epsilon,) = normals(generator, (5, 3))
    x = {"image": pictures, "target": pictures, "epsilon": epsilon}
    outputs = model(x, training=True)
    mean, log_variance = np.split(np.asarray(model.encoder(pictures), np.float64), 2, axis=-1)
    code = mean + np.exp(0.5 * log_variance) * epsilon
    logits = np.asarray(model.decoder(code.astype(np.float32)), np.float64)
    if likelihood == "bernoulli":
        made = expit(logits)
        pixels = pictures * np.log(made) + (1 - pictures) * np.log(1 - made)
    else:
        deviation = np.exp(0.5 * float(model.pixel_log_variance))
        pixels = scipy.stats.norm.logpdf(pictures, expit(logits), deviation)
    nats = -pixels.sum(axis=(1, 2, 3))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=-1)
    loss = model.compute_loss(x, y_pred=outputs)
    assert float(loss) == pytest.approx((nats + kl).mean(), rel=1e-4)
    terms = model.batch_metrics(x, None, outputs)
    assert float(terms["kl"]) == pytest.approx(kl.mean(), rel=1e-4)
    log_weight = -nats + scipy.stats.norm.logpdf(code).sum(axis=-1)
    log_weight -= scipy.stats.norm.logpdf(code, mean, np.exp(0.5 * log_variance)).sum(axis=-1)
    np.testing.assert_allclose(model.log_weights(pictures, epsilon), log_weight, rtol=1e-4)


def test_the_bound_of_many_samples_comes_near_the_truth():
    """A code of one number, whose integral is known; more samples never loosen the bound."""
    model = small(code=1)
    levels = np.random.default_rng(1).integers(0, 2, (6, *SHAPE), dtype=np.uint8) * 255
    codes = np.linspace(-6, 6, 2001, dtype=np.float32)[:, np.newaxis]
    logits = np.asarray(model.decoder(codes), np.float64).reshape(len(codes), -1)
    pictures = levels.reshape(6, -1) / 255.0
    likelihood = pictures @ logits.T - np.logaddexp(0, logits).sum(axis=1)
    prior = scipy.stats.norm.logpdf(codes[:, 0])
    truth = logsumexp(likelihood + prior, axis=1) + np.log(codes[1, 0] - codes[0, 0])
    coder = Coder(model)
    one, many = (coder.importance_weighted_bound(levels, k, seed=1).mean() for k in (1, 300))
    assert one < truth.mean()
    assert many == pytest.approx(truth.mean(), abs=0.05)


def test_beta_and_the_sparse_penalty_weigh(generator):
    pictures = generator.uniform(size=(4, *SHAPE)).astype(np.float32)
    x = {"image": pictures, "target": pictures, "epsilon": np.zeros((4, 3), np.float32)}
    model = small(loss={"beta": 4.0})
    outputs = model(x)
    terms = model.batch_metrics(x, None, outputs)
    expected = float(terms["reconstruction"]) + 4 * float(terms["kl"])
    assert float(model.compute_loss(x, y_pred=outputs)) == pytest.approx(expected, rel=1e-5)
    for sparsity in ("kl", "l1"):
        model = small("sparse", loss={"sparsity": sparsity, "sparsity_weight": 3.0})
        outputs = model(x)
        code = np.asarray(outputs["code"])
        assert (code >= 0).all()
        penalty = {
            "l1": np.abs(code).sum(axis=1).mean(),
            "kl": float(rate_divergence(code.mean(axis=0), 0.05)),
        }[sparsity]
        loss = float(model.compute_loss(x, y_pred=outputs))
        nats = float(model.batch_metrics(x, None, outputs)["reconstruction"])
        assert loss == pytest.approx(nats + 3 * penalty, rel=1e-5)


def test_a_learnt_deviation_stays_above_half_a_level():
    model = small(loss={"likelihood": "gaussian"})
    model.raw_log_variance.assign(-100.0)
    assert np.exp(0.5 * float(model.pixel_log_variance)) == pytest.approx(0.5 / 255, rel=1e-4)
    assert small("plain", loss={"likelihood": "gaussian"}).pixel_log_variance == 0


@pytest.mark.parametrize("side", [5, 8])
@pytest.mark.parametrize("architecture", ["mlp", "conv"])
def test_pictures_of_any_size(architecture, side):
    config = ModelConfig(architecture=architecture, code=2, width=12, hidden_dim=4, num_layers=2)
    model = Autoencoder(config, LossConfig(), (side, side, 3))
    pictures = np.zeros((2, side, side, 3), np.float32)
    assert model.decode(model.encode(pictures)).shape == pictures.shape


def test_the_mean_activation_is_that_of_the_whole_batch(two_devices, generator):
    """The gradient of two uneven devices is that of one: the divergence is no sum over pictures."""
    pictures = generator.uniform(size=(5, *SHAPE)).astype(np.float32)
    with two_devices.scope():
        model = small("sparse", loss={"sparsity_weight": 50.0})

    def gradients(images, share):
        x = {"image": images, "target": images}
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y_pred=model(x, training=True)) * share
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    alone = gradients(tf.constant(pictures), 1.0)

    @tf.function(autograph=False)
    def both():
        def part(context):
            first = context.replica_id_in_sync_group == 0
            rows = pictures[:3] if first else pictures[3:]
            return tf.constant(rows), tf.constant(len(rows) / len(pictures))

        def step(rows, share):
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, gradients(rows, share))

        rows = two_devices.experimental_distribute_values_from_function(lambda c: part(c)[0])
        share = two_devices.experimental_distribute_values_from_function(lambda c: part(c)[1])
        sums = two_devices.run(step, args=(rows, share))
        return [two_devices.experimental_local_results(value)[0] for value in sums]

    for one, two in zip(alone, both(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
