"""A network's answer to any number of images, none included."""

import tensorflow as tf


def answer_any_number(model, images: tf.Tensor):
    """Calls a model for inference; no images give empty outputs of the right shapes.

    oneDNN's convolution, which TensorFlow takes on CPUs with AVX-512 VNNI, gives a batch of no
    images the shape of its input instead of its output. So one black image stands in for none.

    Args:
        model: a `keras.Model` whose outputs have the batch as their first axis.
        images: (B, H, W, C), B >= 0.

    Returns:
        The model's outputs, in its structure, with B rows.
    """
    count = tf.shape(images)[0]
    stand_ins = tf.cast(count == 0, tf.int32)
    outputs = model(tf.pad(images, [[0, stand_ins], [0, 0], [0, 0], [0, 0]]), training=False)
    return tf.nest.map_structure(lambda output: output[:count], outputs)
