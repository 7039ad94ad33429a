"""The brick of convolutional networks: convolution, batch normalisation, activation."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class ConvNormActivation(keras.layers.Layer):
    """Conv2D, then (optionally) BatchNormalization, then (optionally) an activation.

    Args:
        filters: int. Output channels.
        kernel_size: int. Side of the square kernel.
        strides: int. Step in both directions.
        padding: str. `"same"` and `"valid"` as in Keras; `"symmetric"` puts `kernel_size // 2`
            zeros on all four sides whatever the stride, as Caffe and PyTorch do (Keras' "same"
            pads only at the bottom and the right when a strided convolution needs an odd sum).
        batch_norm: bool. Whether to normalise between convolution and activation.
        use_bias: bool or None. None: a bias only where no normalisation follows.
        activation: str, callable or None.
        momentum: float. Of the moving averages of the batch normalisation.
        epsilon: float. Added to the variance in the batch normalisation.
        synchronized: bool. Batch statistics over all replicas instead of each replica's own.
        kernel_initializer: str or `keras.initializers.Initializer`.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.

    Call arguments:
        inputs: float tensor (B, H, W, C).
        training: bool or None. Batch statistics in training, moving averages otherwise.

    Returns:
        Tensor (B, h, w, filters) of the compute dtype.

    Raises:
        ValueError: if the padding is unknown.

    Reference: [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        padding: str = "same",
        batch_norm: bool = True,
        use_bias: bool | None = None,
        activation="relu",
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        synchronized: bool = False,
        kernel_initializer="he_normal",
        kernel_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if padding not in ("same", "valid", "symmetric"):
            raise ValueError(f"padding must be same, valid or symmetric, not {padding!r}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.batch_norm = batch_norm
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape):
        self.convolution = keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            self.strides,
            padding="same" if self.padding == "same" else "valid",
            use_bias=not self.batch_norm if self.use_bias is None else self.use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name="convolution",
        )
        batch, height, width, channels = input_shape
        grown = [n if n is None else n + 2 * self._margin() for n in (height, width)]
        self.convolution.build((batch, *grown, channels))
        if self.batch_norm:
            self.normalization = keras.layers.BatchNormalization(
                momentum=self.momentum,
                epsilon=self.epsilon,
                synchronized=self.synchronized,
                dtype=self.dtype_policy,
                name="normalization",
            )
            self.normalization.build(self.compute_output_shape(input_shape))

    def call(self, inputs, training=None):
        outputs = self._convolve(self._padded(inputs))
        if self.batch_norm:
            outputs = self.normalization(outputs, training=training)
        return self.activation(outputs)

    def _convolve(self, inputs):
        """The convolution; with zeros written out where its bfloat16 gradient is wrong on a CPU.

        With padding "same", a strided kernel on fewer cells than its stride has parts that meet
        padding alone, and their bfloat16 gradients are any number, 1e33 or NaN (TensorFlow 2.21;
        found by a comparison with float32 over maps of 1 to 7 cells, strides of 1 to 4 and kernels
        of 1 to 7). Of maps that were padded before, as for "symmetric", all were right.
        """
        sides = inputs.shape[1:3]
        is_small = None not in sides and min(sides) < self.strides
        if self.padding != "same" or not is_small or self.compute_dtype != "bfloat16":
            return self.convolution(inputs)
        margins = [self._same_margins(side) for side in sides]
        padded = ops.pad(inputs, ((0, 0), *margins, (0, 0)))
        outputs = ops.conv(padded, self.convolution.kernel, self.strides, padding="valid")
        return outputs + self.convolution.bias if self.convolution.use_bias else outputs

    def _same_margins(self, side):
        """Zeros that padding "same" puts before and behind a side."""
        total = max((self._length(side) - 1) * self.strides + self.kernel_size - side, 0)
        return total // 2, total - total // 2

    def _margin(self):
        """Zeros that this layer itself puts on each side."""
        return self.kernel_size // 2 if self.padding == "symmetric" else 0

    def _padded(self, inputs):
        margin = self._margin()
        if margin == 0:
            return inputs
        return ops.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, self._length(height), self._length(width), self.filters)

    def _length(self, length):
        if length is None:
            return None
        if self.padding == "same":
            return -(-length // self.strides)
        return (length + 2 * self._margin() - self.kernel_size) // self.strides + 1

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "batch_norm": self.batch_norm,
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
