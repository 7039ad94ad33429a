"""Memory that the generator needs for each pixel of a tile."""

import math

import keras
import numpy as np
import tensorflow as tf

from apps.generative.srgan.config import ModelConfig
from apps.generative.srgan.peak_memory import peak_memory

SMALL = 32  # side of the tile that is tried first, in pixels
TRIED = 2**28  # bytes that the second tile is expected to take
SPARE = 1.25
ROUND_TO = 256


def measured_bytes_per_pixel(generator: keras.Model, config: ModelConfig) -> int:
    """Bytes of a call on the CPU for each pixel of its input, with a quarter to spare.

    Measured with a large tile after a small one, where the operating system allows it; at least
    what the tensors of the widest layer take.
    """
    call = tf.function(
        lambda images: generator(images, training=False), autograph=False, reduce_retracing=True
    )

    def tile(side: int) -> None:
        with tf.device("CPU:0"):
            call(tf.constant(np.zeros((1, side, side, 3), np.float32)))

    min_bytes = tensor_bytes_per_pixel(config)
    large = math.isqrt(TRIED // min_bytes)
    for side in (SMALL, SMALL + 1):  # the second shape makes the graph that serves all
        tile(side)
    grown = peak_memory(lambda: tile(large)) or 0
    return math.ceil(SPARE * max(grown / large**2, min_bytes) / ROUND_TO) * ROUND_TO


def tensor_bytes_per_pixel(config: ModelConfig) -> int:
    """Bytes of the largest layer's input and output, and the image, for each pixel of the input."""
    area = config.scale**2
    if config.generator == "espcn":
        widest = config.width + config.width // 2
    elif config.upsampling == "direct":
        widest = 3 * config.width
    else:
        # Before and after the last shuffle: all channels at full resolution, twice.
        widest = 2 * config.width * area
    return 4 * (widest + 2 * 3 * area)
