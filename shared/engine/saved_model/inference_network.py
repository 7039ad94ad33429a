"""A trained network as exports hold it: folded, its weights constants of the graph."""

import keras
import tensorflow as tf

from shared.engine.saved_model.fold_batch_norm import fold_batch_norm

# Weights that are constants are packed once for the processor, variables at every call. A graph
# holds at most 2 GiB, and TensorFlow keeps several copies of it.
CONSTANT_BYTES = 256 * 2**20
# Name scope of the constants, by which `inspect` counts them.
WEIGHTS = "weights"


class InferenceNetwork:
    """A function of images that gives the outputs of a model outside training.

    Args:
        model: keras.Model. The trained network, functional.
        spec: tf.TensorSpec. Of the images.
    """

    def __init__(self, model: keras.Model, spec: tf.TensorSpec):
        folded = fold_batch_norm(model)
        weights = [weight for layer in folded.layers for weight in layer.weights]
        values = [weight.numpy() for weight in weights]
        if sum(value.nbytes for value in values) > CONSTANT_BYTES:
            weights = values = []

        def call(images):
            with tf.name_scope(WEIGHTS):
                constants = [tf.constant(value) for value in values]
            mapping = zip(weights, constants, strict=True)
            with keras.StatelessScope(state_mapping=list(mapping)):
                return folded(images, training=False)

        # One function, however many signatures call it.
        self._call = tf.function(call, input_signature=[spec], autograph=False)

    def __call__(self, images: tf.Tensor, training: bool = False):
        return self._call(images)
