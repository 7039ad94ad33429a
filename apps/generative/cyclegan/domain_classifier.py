"""A small classifier of the two domains that judges translated images."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from apps.generative.cyclegan.cycle_gan import from_levels
from shared.common.config import OptimizationConfig
from shared.engine.run import save_model
from shared.engine.training.train_step import build_train_step, prepare_optimizer

WIDTHS = (32, 64, 96, 128)
CHUNK = 64


class DomainJudge:
    """Tells pictures of A from pictures of B; trained once on real images, then loaded.

    Args:
        path: the `.keras` file that keeps it.
        training_data: gives the data set of {"a", "b"} batches to train on, in -1..1.
        steps: int. Batches of it that are used.
        seed: int. Seed of the weights.
    """

    def __init__(
        self, path: Path, training_data: Callable[[], tf.data.Dataset], steps: int, seed: int
    ):
        self._path, self._training_data, self._steps, self._seed = path, training_data, steps, seed
        self._model: keras.Model | None = None

    def is_b(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) to bool (N,): which are taken for pictures of B."""
        model = self._ready_model()
        chunks = [pictures[begin : begin + CHUNK] for begin in range(0, len(pictures), CHUNK)]
        logits = [np.asarray(model(from_levels(chunk), training=False)) for chunk in chunks]
        return np.concatenate(logits)[:, 0] > 0

    def _ready_model(self) -> keras.Model:
        if self._model is None and self._path.is_file():
            self._model = keras.models.load_model(self._path, compile=False, safe_mode=True)
        if self._model is None:
            self._model = train_classifier(self._training_data(), self._steps, self._seed)
            save_model(self._model, self._path)
        return self._model


def train_classifier(data: tf.data.Dataset, steps: int, seed: int) -> keras.Model:
    """Trains a classifier on as many real pictures of A (0) as of B (1).

    Args:
        data: batches {"a", "b": float32 (b, S, S, 3)} in -1..1.
        steps: int. Batches that are used.
        seed: int. Seed of the weights.
    """
    model = build_domain_classifier(seed)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-2),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    prepare_optimizer(model)
    step = build_train_step(model, tf.distribute.get_strategy(), OptimizationConfig())
    for batch in data.take(steps):
        labels = [tf.zeros((len(batch["a"]), 1)), tf.ones((len(batch["b"]), 1))]
        step((tf.concat([batch["a"], batch["b"]], axis=0), tf.concat(labels, axis=0)))
    return model


def build_domain_classifier(seed: int) -> keras.Model:
    """Strided convolutions and a mean over the picture: float (B, H, W, 3) to logits (B, 1)."""
    image = keras.Input((None, None, 3), name="image", dtype="float32")
    x = image
    for number, width in enumerate(WIDTHS):
        x = layers.Conv2D(
            width, 3, strides=2, padding="same", activation="relu", dtype="float32",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + number),
        )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    final = keras.initializers.GlorotNormal(seed=seed + len(WIDTHS))
    logit = layers.Dense(1, kernel_initializer=final, dtype="float32")(x)
    return keras.Model(image, logit, name="domain_classifier")
