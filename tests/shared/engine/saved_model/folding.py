"""Models with statistics as after a training, compared with their folded ones."""

import keras
import numpy as np

from shared.engine.saved_model.fold_batch_norm import fold_batch_norm


def with_random_statistics(model, seed=0):
    """Gives all weights fixed values as after a training: scales, shifts, moments of every size."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(generator.uniform(0.3, 2.0, weight.shape))
        elif weight.name in ("beta", "moving_mean", "bias"):
            weight.assign(generator.normal(0.0, 0.5, weight.shape))
        elif len(weight.shape) > 1:
            deviation = np.sqrt(2 / np.prod(weight.shape[:-1]))
            weight.assign(generator.normal(0.0, deviation, weight.shape))
    return model


def normalisations(model):
    """The batch normalisations of a model's graph and of the layers in it."""
    return [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def outputs_of(model, images):
    return [np.asarray(output) for output in keras.tree.flatten(model(images, training=False))]


def check_same(model, shape, left=0):
    """Folds a model with random statistics and compares; returns the folded one."""
    images = np.random.default_rng(1).uniform(0, 255, (2, *shape)).astype("float32")
    with_random_statistics(model)
    folded = fold_batch_norm(model)
    remaining = len(normalisations(folded))
    assert remaining == left, remaining
    for expected, got in zip(outputs_of(model, images), outputs_of(folded, images), strict=True):
        size = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(got / size, expected / size, rtol=0, atol=3e-5)
    return folded
