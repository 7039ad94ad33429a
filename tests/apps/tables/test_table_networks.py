"""Networks on tables: layers, losses, FT-Transformer and Rosenblatt's rule against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from apps.tables.perceptrons.columns.schema import Column, Schema, Target
from apps.tables.perceptrons.config import LossConfig, TableConfig
from apps.tables.perceptrons.networks import losses
from apps.tables.perceptrons.networks.build import build_network
from apps.tables.perceptrons.networks.feature_embeddings import (
    CategoryEmbedding,
    LinearEmbedding,
    OneHotCategories,
    PeriodicEmbedding,
)
from apps.tables.perceptrons.networks.residual_network import DenseResidualBlock
from apps.tables.perceptrons.networks.row_vector import RowVector
from shared.common import config as configs
from shared.testing.layer_test import run_layer_test

INDICES = np.array([[0, 2], [1, 0], [2, 1]], np.int32)
NUMBERS = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "arguments", "inputs", "shape"),
    [
        (LinearEmbedding, {"dim": 4}, NUMBERS, (3, 2, 4)),
        (PeriodicEmbedding, {"dim": 4, "frequencies": 3, "scale": 0.5}, NUMBERS, (3, 2, 4)),
        (CategoryEmbedding, {"sizes": [3, 3], "dim": 4, "use_bias": True}, INDICES, (3, 2, 4)),
        (OneHotCategories, {"sizes": [3, 4]}, INDICES, (3, 7)),
        (DenseResidualBlock, {"intermediate_dim": 6, "activation": "prelu"}, NUMBERS, (3, 2)),
        (
            RowVector,
            {"sizes": [3, 3], "embedding_dim": 2, "number_dim": 3, "frequencies": 2, "scale": 1.0},
            {"numbers": NUMBERS, "categories": INDICES},
            (3, 10),
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_layers(layer, arguments, inputs, shape):
    run_layer_test(layer, arguments, inputs, shape)


def test_embeddings_are_their_equations():
    layer = PeriodicEmbedding(4, 3, 0.5)
    found = layer(NUMBERS).numpy()
    frequency, kernel, bias = (weight.numpy() for weight in layer.weights)
    angles = 2 * np.pi * frequency * NUMBERS[..., None]
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    expected = np.maximum(np.einsum("bsf,sfd->bsd", waves, kernel) + bias, 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    layer = CategoryEmbedding([3, 3], 4)
    found = layer(INDICES).numpy()
    np.testing.assert_array_equal(found, layer.weights[0].numpy()[INDICES + [0, 3]])


# === Losses ===


def loss_of(kind, labels, logits, **options):
    found = losses.class_losses(
        tf.constant(labels), tf.constant(logits), LossConfig(loss=kind, **options)
    )
    return found.numpy()


def test_losses_of_classes_are_those_of_numpy():
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(20, 4)).astype(np.float32)
    labels = generator.integers(0, 4, 20)
    own = log_softmax(logits, axis=1)[np.arange(20), labels]
    np.testing.assert_allclose(loss_of("cross-entropy", labels, logits), -own, rtol=1e-5)
    focal = -((1 - np.exp(own)) ** 1.5) * own
    np.testing.assert_allclose(loss_of("focal", labels, logits, focal_gamma=1.5), focal, rtol=1e-4)
    others = np.where(np.eye(4, dtype=bool)[labels], -np.inf, logits).max(axis=1)
    margin = logits[np.arange(20), labels] - others
    np.testing.assert_allclose(
        loss_of("hinge", labels, logits), np.maximum(0, 1 - margin), rtol=1e-5
    )
    np.testing.assert_allclose(
        loss_of("perceptron", labels, logits), np.maximum(0, -margin), rtol=1e-5
    )


def test_losses_of_numbers_are_those_of_numpy():
    generator = np.random.default_rng(1)
    targets, outputs = generator.normal(size=(2, 20, 3)).astype(np.float32)
    size = np.abs(outputs - targets)
    huber = np.where(size < 0.7, size**2 / 2, 0.7 * (size - 0.35))
    for kind, expected in (("mse", size**2), ("mae", size), ("huber", huber)):
        config = LossConfig(loss=kind, huber_delta=0.7)
        found = losses.number_losses(tf.constant(targets), tf.constant(outputs), config)
        np.testing.assert_allclose(found, expected.mean(axis=1), rtol=1e-5)


# === Networks ===


def schema_of(numbers=2, sizes=(3, 3), classes=("a", "b", "c")):
    columns = [Column(f"n{index}", "number") for index in range(numbers)]
    columns += [
        Column(f"c{index}", "category", values=tuple(map(str, range(size - 2))))
        for index, size in enumerate(sizes)
    ]
    target = Target(("t",), classes)
    if not classes:
        target = Target(("t", "u"), means=(10.0, 20.0), deviations=(2.0, 3.0))
    return Schema(tuple(columns), target)


def network_of(schema=None, **values):
    given = {leaf.replace("__", "."): value for leaf, value in values.items()}
    keras.utils.set_random_seed(1)
    return build_network(configs.resolve(TableConfig, given), schema or schema_of())


FEATURES = {"numbers": NUMBERS, "categories": INDICES}


@pytest.mark.parametrize(
    "values",
    [
        {"model__hidden": "0", "model__embedding_dim": 0},
        *({"model__hidden": "5,4", "model__activation": name, "model__normalization": norm}
          for name, norm in (("relu", "none"), ("leaky-relu", "batch"), ("prelu", "layer"),
                             ("elu", "none"), ("swish", "batch"), ("gelu", "none"),
                             ("tanh", "none"), ("sigmoid", "none"))),
        {"model__number_embedding": "periodic"},
        {"model__architecture": "resnet", "model__hidden_dim": 8},
        {"model__architecture": "ft-transformer", "model__hidden_dim": 8, "model__num_heads": 2},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)  # fmt: skip
def test_networks_are_saved_whole(values, tmp_path):
    for schema in (schema_of(), schema_of(numbers=0), schema_of(sizes=(), classes=())):
        network = network_of(schema, **values)
        features = {
            "numbers": NUMBERS[:, : schema.number_slots],
            "categories": INDICES[:, : len(schema.categories)],
        }
        outputs = network(features, training=False)
        assert outputs.shape == (3, schema.target.outputs) and outputs.dtype == tf.float32
        network.save(tmp_path / "network.keras")
        again = keras.saving.load_model(tmp_path / "network.keras", compile=False)
        assert [w.path for w in again.weights] == [w.path for w in network.weights]
        np.testing.assert_array_equal(again(features, training=False), outputs)


def test_the_perceptron_is_linear_and_one_hot():
    network = network_of(model__hidden="0", model__embedding_dim=0)
    assert not network(FEATURES).numpy().any()
    kernel, bias = network.output_layer.kernel, network.output_layer.bias
    generator = np.random.default_rng(0)
    kernel.assign(generator.normal(size=kernel.shape))
    bias.assign([1.0, 2.0, 3.0])
    one_hot = np.concatenate([np.eye(3)[INDICES[:, 0]], np.eye(3)[INDICES[:, 1]]], axis=1)
    row = np.concatenate([NUMBERS, one_hot], axis=1)
    np.testing.assert_allclose(network(FEATURES), row @ kernel.numpy() + bias.numpy(), atol=1e-5)


def test_predictions_are_in_the_units_of_the_data():
    network = network_of(schema_of(classes=()))
    outputs = tf.constant([[0.0, 1.0], [-1.0, 2.0]])
    found = network.predictions({}, outputs)["prediction"]
    np.testing.assert_allclose(found, [[10, 23], [8, 26]])


def test_penalties_are_those_of_the_kernels():
    network = network_of(model__hidden="4", loss__l1=0.1, loss__l2=0.01)
    outputs = network(FEATURES)
    terms = network.compute_loss(FEATURES, np.array([0, 1, 2]), outputs)
    kernels = [layer.kernel.numpy() for layer in (network.hidden[0], network.output_layer)]
    expected = sum(0.1 * np.abs(kernel).sum() + 0.01 * (kernel**2).sum() for kernel in kernels)
    assert float(terms["penalty"]) == pytest.approx(expected, rel=1e-5)


def test_a_step_with_the_perceptron_loss_is_rosenblatts_rule():
    """Row by row, against the rule itself; two classes, so that weights are opposite."""
    generator = np.random.default_rng(2)
    points = generator.normal(size=(60, 2)).astype(np.float32)
    labels = (points @ [1.0, -2.0] > 0.3).astype(np.int32)
    schema = schema_of(sizes=(), classes=("no", "yes"))
    network = network_of(schema, preset="rosenblatt")
    optimizer = keras.optimizers.SGD(1.0)
    weights, bias = np.zeros(2), 0.0
    for point, label in zip(points, labels, strict=True):
        x = {"numbers": point[None], "categories": np.zeros((1, 0), np.int32)}
        with tf.GradientTape() as tape:
            terms = network.compute_loss(x, label[None], network(x, training=True))
        variables = network.trainable_variables
        gradients = tape.gradient(terms["error"], [v.value for v in variables])
        optimizer.apply(gradients, variables)
        sign = 2 * label - 1
        if sign * (weights @ point + bias) <= 0:
            weights, bias = weights + sign * point, bias + sign
        kernel, intercept = (w.numpy() for w in network.output_layer.weights)
        np.testing.assert_allclose(kernel[:, 1], weights, atol=1e-4)
        np.testing.assert_allclose(kernel[:, 0], -weights, atol=1e-4)
        assert intercept[1] == pytest.approx(bias)


def layer_norm(x, layer):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * layer.gamma.numpy() + layer.beta.numpy()


def dense(x, layer):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def numpy_block(x, block, heads, first):
    """A pre-norm block with ReGLU, as in the paper."""
    read = x if first else layer_norm(x, block.attention_norm)
    queries, keys, values = np.split(dense(read, block.attention.query_key_value), 3, axis=-1)
    size = x.shape[-1] // heads
    parts = []
    for head in range(heads):
        q, k, v = (each[..., head * size : (head + 1) * size] for each in (queries, keys, values))
        parts.append(softmax(q @ k.transpose(0, 2, 1) / np.sqrt(size)) @ v)
    x = x + dense(np.concatenate(parts, axis=-1), block.attention.output_dense)
    hidden = dense(layer_norm(x, block.feed_forward_norm), block.feed_forward.expand)
    left, right = np.split(hidden, 2, axis=-1)
    return x + dense(left * np.maximum(right, 0), block.feed_forward.reduce)


def test_ft_transformer_is_that_of_the_paper():
    network = network_of(
        model__architecture="ft-transformer", model__hidden_dim=8, model__num_heads=2,
        model__num_blocks=2,
    )  # fmt: skip
    generator = np.random.default_rng(3)
    for weight in network.weights:
        if weight.dtype == "float32":
            weight.assign_add(generator.normal(scale=0.2, size=weight.shape))
    numbers, categories = network.tokenize_numbers, network.tokenize_categories
    tokens = NUMBERS[..., None] * numbers.kernel.numpy() + numbers.bias.numpy()
    table = categories.embeddings.numpy()[INDICES + [0, 3]] + categories.bias.numpy()
    cls = np.repeat(network.cls.numpy(), 3, axis=0)
    x = np.concatenate([cls, tokens, table], axis=1)
    for index, block in enumerate(network.blocks):
        x = numpy_block(x, block, heads=2, first=index == 0)
    last = np.maximum(layer_norm(x[:, 0], network.norm), 0)
    expected = dense(last, network.output_layer)
    np.testing.assert_allclose(network(FEATURES, training=False), expected, atol=1e-4)


def test_residual_network_is_that_of_the_paper():
    network = network_of(model__architecture="resnet", model__hidden_dim=4, model__num_blocks=1)
    generator = np.random.default_rng(3)
    for weight in network.weights:
        if weight.dtype == "float32":
            weight.assign_add(generator.uniform(0.1, 0.3, size=weight.shape))

    def batch_norm(x, layer):
        gamma, beta, mean, variance = (weight.numpy() for weight in layer.weights)
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    x = dense(network.row_vector(NUMBERS, INDICES).numpy(), network.first)
    (block,) = network.blocks
    x = x + dense(np.maximum(dense(batch_norm(x, block.norm), block.expand), 0), block.reduce)
    expected = dense(np.maximum(batch_norm(x, network.norm), 0), network.output_layer)
    np.testing.assert_allclose(network(FEATURES, training=False), expected, rtol=1e-4)
