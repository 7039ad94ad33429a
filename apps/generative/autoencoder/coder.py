"""A model applied to any number of pictures: codes, reconstructions, errors and bounds."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from apps.generative.autoencoder.autoencoder import Autoencoder, as_levels, squared_error
from apps.generative.autoencoder.bounds import importance_weighted_bound
from shared.engine.saved_model.seeded_pictures import noise_of_seeds

CHUNK = 256  # pictures in a call


class Coder:
    """Codes and decodes pictures as the SavedModel does, without noise.

    Args:
        model: the model.
    """

    def __init__(self, model: Autoencoder):
        self.model = model
        self._code = _compiled(self._coded)
        self._decode = _compiled(lambda codes: as_levels(model.decode(codes)))
        self._log_weights = _compiled(model.log_weights)

    def _coded(self, pictures):
        images = tf.cast(pictures, tf.float32) / 255.0
        codes = self.model.encode(images)
        made = self.model.decode(codes)
        return codes, as_levels(made), squared_error(images, made)

    def code(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes (N, Z), reconstructions uint8 and errors (N,) of pictures uint8 (N, S, S, C)."""
        parts = [self._code(tf.constant(part)) for part in _chunks(pictures)]
        codes, made, errors = (np.concatenate(column) for column in zip(*parts, strict=True))
        return codes, made, errors

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Pictures uint8 (N, S, S, C) of codes (N, Z)."""
        parts = [self._decode(tf.constant(part, tf.float32)) for part in _chunks(codes)]
        return np.concatenate(parts)

    def sample(self, count: int) -> np.ndarray:
        """Pictures of codes drawn from the prior: of the seeds 1, 2, ... as `sample` makes them."""
        seeds = tf.range(1, count + 1, dtype=tf.int64)
        return self.decode(noise_of_seeds(seeds, self.model.config.code).numpy())

    def importance_weighted_bound(
        self, pictures: np.ndarray, samples: int, seed: int
    ) -> np.ndarray:
        """Lower bound of log p(x), float32 (N,), see `bounds.importance_weighted_bound`.

        Args:
            pictures: uint8 (N, S, S, C).
            samples: int. Codes that are drawn for each.
            seed: int. Seed of the draws.
        """
        found = []
        for number, part in enumerate(_chunks(pictures)):
            images = tf.cast(part, tf.float32) / 255.0
            shape = (len(part), self.model.config.code)
            # One sample at a time: a hundred copies of all pictures need not fit into memory.
            weights = [
                self._log_weights(
                    images, tf.random.stateless_normal(shape, [seed, number * samples + index])
                ).numpy()
                for index in range(samples)
            ]
            found.append(np.asarray(importance_weighted_bound(np.stack(weights))))
        return np.concatenate(found)


def _compiled(function: Callable) -> Any:
    return tf.function(function, autograph=False, reduce_retracing=True)


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    return (rows[begin : begin + CHUNK] for begin in range(0, len(rows), CHUNK))
