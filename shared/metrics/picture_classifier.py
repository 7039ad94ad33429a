"""A small classifier of real pictures that judges generated ones."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from shared.common.files import atomic_path

WIDTHS = (32, 64, 96, 128)
CHUNK = 64


class PictureClassifier:
    """Tells the classes of pictures apart; trained once on real pictures, then loaded.

    Args:
        path: the `.keras` file that keeps it.
        training_data: gives the data set of (float32 (b, H, W, 3) in -1..1, int (b,)) to train on.
        classes: int. Number of classes.
        steps: int. Batches of it that are used.
        seed: int. Seed of the weights.
    """

    def __init__(
        self,
        path: Path,
        training_data: Callable[[], tf.data.Dataset],
        classes: int,
        steps: int,
        seed: int,
    ):
        self._path, self._training_data = path, training_data
        self._classes, self._steps, self._seed = classes, steps, seed
        self._model: keras.Model | None = None

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) to float64 (N, classes)."""
        logits = self._applied(pictures, "logits").astype(np.float64)
        if self._classes == 2:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def classes_of(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) to the likeliest class of each, int (N,)."""
        logits = self._applied(pictures, "logits")
        return logits.argmax(axis=1) if self._classes > 2 else (logits[:, 0] > 0).astype(np.int64)

    def features(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, H, W, 3) to what its last layer reads, float64 (N, D)."""
        return self._applied(pictures, "features").astype(np.float64)

    def _applied(self, pictures: np.ndarray, output: str) -> np.ndarray:
        model = self._ready_model()
        part = keras.Model(model.inputs, model.get_layer(output).output)
        found = []
        for begin in range(0, len(pictures), CHUNK):
            scaled = pictures[begin : begin + CHUNK].astype(np.float32) / np.float32(127.5) - 1
            found.append(np.asarray(part(scaled, training=False)))
        return np.concatenate(found)

    def _ready_model(self) -> keras.Model:
        if self._model is None and self._path.is_file():
            self._model = keras.models.load_model(self._path, compile=False, safe_mode=True)
        if self._model is None:
            self._model = train_classifier(
                self._training_data(), self._classes, self._steps, self._seed
            )
            with atomic_path(self._path) as temporary:
                self._model.save(temporary)
        return self._model


def train_classifier(data: tf.data.Dataset, classes: int, steps: int, seed: int) -> keras.Model:
    """Trains a classifier on real pictures.

    Args:
        data: batches (float32 (b, H, W, 3) in -1..1, int (b,)).
        classes: int. Number of classes.
        steps: int. Batches that are used.
        seed: int. Seed of the weights.
    """
    model = build_picture_classifier(1 if classes == 2 else classes, seed)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-2)
    optimizer.build(model.trainable_variables)
    loss = (
        keras.losses.BinaryCrossentropy(from_logits=True)
        if classes == 2
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )

    @tf.function(autograph=False, reduce_retracing=True)
    def step(pictures, labels):
        with tf.GradientTape() as tape:
            value = loss(labels[:, tf.newaxis], model(pictures, training=True))
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(value, weights), model.trainable_variables)

    for pictures, labels in data.take(steps):
        step(pictures, labels)
    return model


def build_picture_classifier(outputs: int, seed: int) -> keras.Model:
    """Strided convolutions and a mean over the picture: float (B, H, W, 3) to logits (B, outputs).

    Args:
        outputs: int. Number of logits.
        seed: int. Seed of the weights.
    """
    image = keras.Input((None, None, 3), name="image", dtype="float32")
    x = image
    for number, width in enumerate(WIDTHS):
        x = layers.Conv2D(
            width, 3, strides=2, padding="same", activation="relu", dtype="float32",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + number),
        )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D(dtype="float32", name="features")(x)
    final = keras.initializers.GlorotNormal(seed=seed + len(WIDTHS))
    logits = layers.Dense(outputs, kernel_initializer=final, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="picture_classifier")
