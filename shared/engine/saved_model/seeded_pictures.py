"""Parts of SavedModels that make pictures from seeds: noise in, PNG out."""

from typing import Literal

import tensorflow as tf

Noise = Literal["normal", "uniform"]


def noise_of_seeds(seed: tf.Tensor, size: int, noise: Noise = "normal") -> tf.Tensor:
    """Random numbers for each seed, which depend on that seed alone.

    Args:
        seed: int64 (N,), any numbers.
        size: int. Numbers for each seed.
        noise: "normal" with variance 1, or "uniform" in -1..1.

    Returns:
        float32 (N, size).
    """
    # Philox on every device, so that a seed means the same everywhere.
    draw = {
        "normal": tf.random.stateless_normal,
        "uniform": lambda *args, **kw: tf.random.stateless_uniform(*args, **kw, minval=-1.0),
    }[noise]
    return tf.map_fn(
        lambda one: draw((size,), seed=tf.stack([one, 0]), alg="philox"),
        seed,
        fn_output_signature=tf.TensorSpec((size,), tf.float32),
    )


def png_of_pictures(levels: tf.Tensor) -> tf.Tensor:
    """Encodes uint8 (N, H, W, 1 or 3) as PNG, string (N,)."""
    return tf.map_fn(tf.io.encode_png, levels, fn_output_signature=tf.TensorSpec((), tf.string))
