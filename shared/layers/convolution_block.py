"""Base of the blocks of several normalised convolutions."""

import keras

from shared.layers.conv_norm_activation import ConvNormActivation

# Minimum channels of a block that chooses its own width: on a CPU, oneDNN's backward convolution of
# 8 channels writes past its buffer (TensorFlow 2.21).
MIN_WIDTH = 16


class ConvolutionBlock(keras.layers.Layer):
    """Base of blocks made of `ConvNormActivation`; subclasses add their structure.

    Args:
        activation: str, callable or None. Of every convolution.
        momentum: float. Of the batch normalisations' moving averages.
        epsilon: float. Of the batch normalisations.
        synchronized: bool. Batch statistics over all replicas.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        batch_norm: bool. Whether the convolutions are normalised, or have biases.
    """

    def __init__(
        self,
        activation="silu",
        momentum: float = 0.97,
        epsilon: float = 1e-3,
        synchronized: bool = False,
        kernel_regularizer=None,
        batch_norm: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.batch_norm = batch_norm

    def shared_options(self) -> dict:
        """The arguments of this class, for a block or a convolution within this block."""
        return {
            "activation": self.activation,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "kernel_regularizer": self.kernel_regularizer,
            "batch_norm": self.batch_norm,
            "dtype": self.dtype_policy,
        }

    def make_convolution(self, filters, kernel_size, strides=1, name=None) -> ConvNormActivation:
        """One normalised convolution with the options of this block."""
        return ConvNormActivation(filters, kernel_size, strides, name=name, **self.shared_options())

    def get_config(self):
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "batch_norm": self.batch_norm,
        }
