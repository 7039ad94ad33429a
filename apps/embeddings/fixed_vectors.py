"""Word vectors that were read from a file, as a model."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class FixedVectors(keras.Model):
    """A table of vectors without a training of its own.

    Args:
        vocabulary_size: int. Words V.
        dim: int. Numbers of a vector.

    Call arguments:
        ids: int (N,).

    Returns:
        Vectors float32 (N, D).
    """

    def __init__(self, vocabulary_size: int, dim: int, name: str = "fixed_vectors", **kwargs):
        super().__init__(name=name, **kwargs)
        self.vocabulary_size, self.dim = vocabulary_size, dim
        self.table = self.add_weight(
            (vocabulary_size, dim), initializer="zeros", trainable=False, name="vectors"
        )
        self.built = True

    def call(self, ids):
        return ops.take(self.table, ids, axis=0)

    def get_config(self):
        return {"name": self.name, "vocabulary_size": self.vocabulary_size, "dim": self.dim}
