"""Substrings by character offsets, in the graph."""

import tensorflow as tf


def text_between(texts: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """`text[start:end]` of each text.

    Args:
        texts: string (N,).
        starts, ends: int32 (N,) or (N, S). Characters as `WordPieceTokenizer` counts them, which
            counts bytes that are no UTF-8 too.

    Returns:
        String of the shape of `starts`; those bytes are U+FFFD in it.
    """
    # Otherwise such bytes would not count, and an offset could lie beyond the end.
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    if starts.shape.rank == 2:
        texts = tf.repeat(texts[:, None], tf.shape(starts)[1], axis=1)
    return tf.strings.substr(texts, starts, ends - starts, unit="UTF8_CHAR")
