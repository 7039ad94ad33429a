"""A served function's answer to any number of rows, none included."""

from collections.abc import Callable

import tensorflow as tf

# By name, the inputs of a signature and the function of them.
Signatures = dict[str, tuple[dict[str, tf.TensorSpec], Callable]]


def answer_empty_batches(function: Callable, inputs):
    """Calls a function of rows; no rows give empty outputs of the right shapes.

    Some operations cannot do that: oneDNN's convolution, which TensorFlow takes on CPUs with
    AVX-512 VNNI, gives a batch of no images the shape of its input instead of its output, and no
    texts have no longest one. So one black image, or one empty text, stands in for none.

    Args:
        function: of `inputs`, whose outputs have the rows as their first axis.
        inputs: a tensor (B, ...), or a structure of such, B >= 0.

    Returns:
        The function's outputs, in their structure, with B rows.
    """
    count = tf.shape(tf.nest.flatten(inputs)[0])[0]
    stand_ins = tf.cast(count == 0, tf.int32)

    def padded(tensor):
        # Unlike `tf.concat`, it copies nothing where there is nothing to add.
        return tf.pad(tensor, [[0, stand_ins], *[[0, 0]] * (tensor.shape.rank - 1)])

    outputs = function(tf.nest.map_structure(padded, inputs))
    return tf.nest.map_structure(lambda output: output[:count], outputs)


def with_empty_batches(signatures: Signatures) -> Signatures:
    """The signatures of a serving module, each of which answers no rows as well.

    Inputs with axes have rows, scalars are options; see `answer_empty_batches`.
    """
    return {
        name: (specs, _with_empty_batches(specs, call))
        for name, (specs, call) in signatures.items()
    }


def _with_empty_batches(specs: dict[str, tf.TensorSpec], function: Callable) -> Callable:
    def answer(**inputs):
        rows = {name: value for name, value in inputs.items() if specs[name].shape.rank}
        options = {name: value for name, value in inputs.items() if name not in rows}
        return answer_empty_batches(lambda rows: function(**rows, **options), rows)

    return answer
