"""Networks of forecasts against NumPy and against what can be solved by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.tables.forecast.config import LossConfig, ModelConfig
from apps.tables.forecast.networks.build import CLASSES
from apps.tables.forecast.networks.linear import averaging_matrix
from apps.tables.forecast.networks.recurrent import RecurrentForecaster

L, H, C, K = 12, 5, 3, 2
GENERATOR = np.random.default_rng(0)
HISTORY = GENERATOR.normal(size=(4, L, C)).astype("float32")
FUTURE = GENERATOR.normal(size=(4, H, K)).astype("float32")
ANSWERS = GENERATOR.normal(size=(4, H, C)).astype("float32")


def network_of(architecture, covariates=0, quantiles="", horizon=H, **options):
    defaults = {"hidden_dim": 8, "num_layers": 2, "num_heads": 2, "patch_length": 4,
                "moving_average": 5}  # fmt: skip
    config = ModelConfig(architecture=architecture, **defaults | options)
    kind = CLASSES.get(architecture, RecurrentForecaster)
    network = kind(config, LossConfig(quantiles=quantiles), L, horizon, C, covariates)
    network.build()
    for weight in network.trainable_variables:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape) * 0.3)
    return network


def forecast(network, **inputs):
    return np.array(network({"history": tf.constant(HISTORY), **inputs}, training=False))


# === Linear ones ===


def test_linear_is_one_product():
    network = network_of("linear")
    kernel, bias = map(np.array, network.layers_of_parts[0].weights)
    expected = np.einsum("nlc,lh->nhc", HISTORY, kernel) + bias[None, :, None]
    np.testing.assert_allclose(forecast(network)[..., 0], expected, atol=1e-5)


def test_nlinear_subtracts_the_last_value_and_adds_it_again():
    network = network_of("nlinear", covariates=K)
    kernel, bias = map(np.array, network.layers_of_parts[0].weights)
    last = HISTORY[:, -1:]
    expected = np.einsum("nlc,lh->nhc", HISTORY - last, kernel) + bias[None, :, None] + last
    expected = expected + FUTURE @ np.array(network.regression.kernel)
    found = forecast(network, future=tf.constant(FUTURE))[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_dlinear_parts_the_trend_from_the_rest():
    network = network_of("dlinear")
    (trend_kernel, trend_bias), (kernel, bias) = (
        map(np.array, layer.weights) for layer in network.layers_of_parts
    )
    padded = np.concatenate([HISTORY[:, :1]] * 2 + [HISTORY] + [HISTORY[:, -1:]] * 2, axis=1)
    trend = np.stack([padded[:, step : step + 5].mean(axis=1) for step in range(L)], axis=1)
    expected = (
        np.einsum("nlc,lh->nhc", trend, trend_kernel) + trend_bias[None, :, None]
        + np.einsum("nlc,lh->nhc", HISTORY - trend, kernel) + bias[None, :, None]
    )  # fmt: skip
    np.testing.assert_allclose(forecast(network)[..., 0], expected, atol=1e-5)


def test_averages_of_any_length_keep_a_constant():
    for steps in (1, 4, 25):
        np.testing.assert_allclose(averaging_matrix(9, steps).sum(axis=0), 1.0, rtol=1e-6)
    assert (averaging_matrix(9, 1) == np.eye(9)).all()


def test_nlinear_of_least_squares_knows_a_wave_by_heart():
    """y(t + 2) = 2 cos(w) y(t + 1) - y(t): the weights that the difference equation has."""
    network = network_of("nlinear", horizon=1)
    kernel = np.zeros((L, 1), "float32")
    turn = 2 * np.cos(0.4)
    # Less the last value: y' = turn * last - before = (turn - 1) last - before + last.
    kernel[-2], kernel[-1] = -1.0, 0.0
    network.layers_of_parts[0].kernel.assign(kernel)
    network.layers_of_parts[0].bias.assign([0.0])
    wave = np.sin(0.4 * np.arange(L + 1))[None, :, None].repeat(C, axis=2)
    found = np.array(network({"history": tf.constant(wave[:, :L], tf.float32)}))[0, 0, :, 0]
    expected = wave[0, L, 0] - (turn - 2) * wave[0, L - 1, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


# === All ===


@pytest.mark.parametrize("architecture", ["mlp", "transformer", "rnn", "gru", "lstm"])
@pytest.mark.parametrize("norm", ["last", "standard"])
def test_a_window_that_is_shifted_is_forecast_as_much_higher(architecture, norm):
    network = network_of(architecture, instance_norm=norm)
    before = forecast(network)
    shifted = np.array(network({"history": tf.constant(HISTORY + 5.0)}))
    assert before.shape == (4, H, C, 1)
    np.testing.assert_allclose(shifted, before + 5.0, atol=1e-3)


@pytest.mark.parametrize("architecture", ["mlp", "transformer", "lstm"])
def test_networks_read_all_covariates(architecture):
    network = network_of(architecture, covariates=K)
    given = tf.Variable(FUTURE)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(network({"history": HISTORY, "future": given}) ** 2)
    gradient = tape.gradient(total, given).numpy()
    assert (np.abs(gradient).max(axis=(0,)) > 0).all()


def test_quantiles_are_put_in_order_and_pinball_is_their_loss():
    network = network_of("mlp", quantiles="0.9,0.1,0.5")
    outputs = network({"history": tf.constant(HISTORY)})
    scaled = np.array(network.predictions(None, outputs)["scaled"])
    assert scaled.shape == (4, H, C, 3) and (np.diff(scaled) >= 0).all()
    assert (np.sort(np.array(outputs)) == scaled).all() and network.median == 1
    weights = np.ones_like(ANSWERS)
    weights[0] = 0.0
    found = network.compute_loss(None, ANSWERS, outputs, tf.constant(weights))["error"]
    losses = []
    for index, level in enumerate((0.1, 0.5, 0.9)):
        for difference in (ANSWERS - np.array(outputs)[..., index])[1:].ravel():
            losses.append(level * difference if difference > 0 else (level - 1) * difference)
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(network.loss_weight(None, ANSWERS, weights)) == 3 * H * C


@pytest.mark.parametrize(("loss", "expected"), [
    ("mse", lambda d: d**2), ("mae", np.abs),
    ("huber", lambda d: np.where(np.abs(d) < 0.5, d**2 / 2, 0.5 * np.abs(d) - 0.125)),
])  # fmt: skip
def test_losses_are_those_of_numpy(loss, expected):
    config = ModelConfig(architecture="linear")
    network = CLASSES["linear"](config, LossConfig(loss=loss, huber_delta=0.5), L, H, C)
    outputs = GENERATOR.normal(size=(4, H, C, 1)).astype("float32")
    found = network.compute_loss(None, ANSWERS, tf.constant(outputs), np.ones_like(ANSWERS))
    mean = expected(outputs[..., 0] - ANSWERS).mean()
    assert float(found["error"]) == pytest.approx(mean, rel=1e-5)


# === Teacher forcing ===


@pytest.mark.parametrize(("cell", "covariates", "quantiles"), [
    ("lstm", K, ""), ("gru", 0, "0.1,0.5,0.9"), ("rnn", 0, ""),
])  # fmt: skip
def test_decoding_equals_forcing_with_its_own_forecasts(cell, covariates, quantiles):
    """A decoded forecast, given as the truth, comes out again; and is another than the truth's."""
    network = network_of(cell, covariates, quantiles, decoding="autoregressive")
    future = {"future": tf.constant(FUTURE)} if covariates else {}
    decoded = forecast(network, **future)
    own = tf.constant(decoded[..., network.median])
    np.testing.assert_allclose(forecast(network, answers=own, **future), decoded, atol=1e-4)
    forced = forecast(network, answers=tf.constant(ANSWERS), **future)
    np.testing.assert_allclose(forced[:, 0], decoded[:, 0], atol=1e-5)
    assert np.abs(forced[:, 1:] - decoded[:, 1:]).max() > 1e-2


def test_networks_are_saved_and_loaded(tmp_path):
    network = network_of("lstm", covariates=K, quantiles="0.2,0.5")
    network.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    inputs = {"history": tf.constant(HISTORY), "future": tf.constant(FUTURE)}
    np.testing.assert_array_equal(np.array(again(inputs)), np.array(network(inputs)))


@pytest.mark.parametrize("architecture", ["gru", "lstm", "transformer", "mlp", "dlinear"])
def test_networks_compute_in_bfloat16_without_rounding_a_window(architecture):
    """A window far from zero, of which bfloat16 would keep two digits, is moved before."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        options = {"decoding": "autoregressive"} if architecture == "gru" else {}
        network = network_of(architecture, covariates=K, **options)
        given = {"future": tf.constant(FUTURE)}
        found = forecast(network, **given)
        moved = np.array(network({"history": tf.constant(HISTORY + 100.0), **given}))
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == np.float32
    if architecture != "dlinear":
        np.testing.assert_allclose(moved, found + 100.0, atol=0.2)
