"""Python strings as tensors."""

from collections.abc import Iterable

import tensorflow as tf


def as_strings(texts: Iterable[str]) -> tf.Tensor:
    """A string tensor (N,); surrogates, which UTF-8 has not, become question marks."""
    return tf.constant([text.encode("utf-8", "replace") for text in texts], tf.string)
