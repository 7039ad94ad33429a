"""Levels of pictures and the range -1..1 of generators that end in tanh."""

import tensorflow as tf


def to_levels(images):
    """-1..1 to uint8 0..255."""
    levels = tf.round((tf.cast(images, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)


def from_levels(images):
    """0..255 to float32 -1..1."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0
