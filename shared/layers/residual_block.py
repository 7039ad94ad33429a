"""The two residual blocks of ResNet, with the activation after the addition (version 1)."""

import keras

from shared.layers.conv_norm_activation import ConvNormActivation
from shared.layers.drop_path import DropPath


class ResidualBlock(keras.layers.Layer):
    """`relu(shortcut(x) + branch(x))`; the subclasses define the branch.

    The shortcut is the identity where input and output shapes agree, and otherwise a 1x1
    convolution with the block's stride ("option B" of the paper).

    Args:
        filters: int. Channels of the 3x3 convolutions; the output has
            `filters * expansion` channels.
        strides: int. Stride of the block.
        drop_path: float in [0, 1). Probability to skip the branch (stochastic depth).
        use_bias: bool. Whether the convolutions, though normalised, also have a bias.
        momentum: float. Of the batch normalisations' moving averages.
        epsilon: float. Of the batch normalisations.
        synchronized: bool. Batch statistics over all replicas.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        batch_norm: bool. Whether the convolutions are normalised.

    Call arguments:
        inputs: float tensor (B, H, W, C).
        training: bool or None.

    Returns:
        Tensor (B, ceil(H / strides), ceil(W / strides), filters * expansion).

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385)
    """

    expansion = 1  # Output channels per filter.

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        drop_path: float = 0.0,
        use_bias: bool = False,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        synchronized: bool = False,
        kernel_regularizer=None,
        batch_norm: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.drop_path = drop_path
        self.use_bias = use_bias
        self.momentum = momentum
        self.epsilon = epsilon
        self.synchronized = synchronized
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.batch_norm = batch_norm

    def make_branch(self) -> list[ConvNormActivation]:
        """The convolutions of the residual branch, in order."""
        raise NotImplementedError

    def make_convolution(self, filters, kernel_size, strides=1, activation=None, name=None):
        """One normalised convolution with the options of this block."""
        return ConvNormActivation(
            filters,
            kernel_size,
            strides,
            padding="symmetric",
            batch_norm=self.batch_norm,
            use_bias=self.use_bias,
            activation=activation,
            momentum=self.momentum,
            epsilon=self.epsilon,
            synchronized=self.synchronized,
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape):
        self.branch = self.make_branch()
        shape = input_shape
        for convolution in self.branch:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
        self.shortcut = None
        if self.strides != 1 or input_shape[-1] != shape[-1]:
            self.shortcut = self.make_convolution(shape[-1], 1, self.strides, name="shortcut")
            self.shortcut.build(input_shape)
        self.stochastic_depth = DropPath(self.drop_path, dtype=self.dtype_policy)

    def call(self, inputs, training=None):
        outputs = inputs
        for convolution in self.branch:
            outputs = convolution(outputs, training=training)
        outputs = self.stochastic_depth(outputs, training=training)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs, training=training)
        return keras.ops.relu(inputs + outputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        height, width = (n if n is None else -(-n // self.strides) for n in (height, width))
        return (batch, height, width, self.filters * self.expansion)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "drop_path": self.drop_path,
            "use_bias": self.use_bias,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "synchronized": self.synchronized,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "batch_norm": self.batch_norm,
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions around a shortcut (ResNet-18 and 34).

    Arguments, shapes and reference: see `ResidualBlock`; `expansion` is 1.
    """

    def make_branch(self):
        return [
            self.make_convolution(self.filters, 3, self.strides, "relu", name="conv_1"),
            self.make_convolution(self.filters, 3, name="conv_2"),
        ]


@keras.saving.register_keras_serializable(package="kerasuite")
class BottleneckBlock(ResidualBlock):
    """1x1, 3x3 and 1x1 convolutions around a shortcut (ResNet-50 and deeper).

    Arguments, shapes and reference: see `ResidualBlock`; `expansion` is 4.

    Args:
        stride_in: "first" for the stride in the first 1x1 convolution, as in the paper and in
            keras.applications; "middle" in the 3x3 convolution, as in torchvision ("v1.5").
    """

    expansion = 4

    def __init__(self, filters: int, strides: int = 1, stride_in: str = "first", **kwargs):
        super().__init__(filters, strides, **kwargs)
        if stride_in not in ("first", "middle"):
            raise ValueError(f"stride_in {stride_in!r} is neither 'first' nor 'middle'")
        self.stride_in = stride_in

    def make_branch(self):
        first, middle = self.strides, 1
        if self.stride_in == "middle":
            first, middle = middle, first
        return [
            self.make_convolution(self.filters, 1, first, "relu", name="conv_1"),
            self.make_convolution(self.filters, 3, middle, "relu", name="conv_2"),
            self.make_convolution(self.filters * self.expansion, 1, name="conv_3"),
        ]

    def get_config(self):
        return {**super().get_config(), "stride_in": self.stride_in}
