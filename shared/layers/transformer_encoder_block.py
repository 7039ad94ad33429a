"""A block of a Transformer's encoder: self-attention and a feed-forward network."""

import keras

from shared.layers.dropout import Dropout
from shared.layers.feed_forward import FeedForward
from shared.layers.layer_normalization import LayerNormalization
from shared.layers.multi_head_attention import MultiHeadAttention


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerEncoderBlock(keras.layers.Layer):
    """Self-attention, then a feed-forward network, each with residual and normalisation.

    "post" is the original `norm(x + dropout(f(x)))`; "pre" is `x + dropout(f(norm(x)))`, which
    trains without a long warm-up and wants a normalisation after the last block. `with_attention`
    also returns the attention weights and scores, `first_position` computes that position only.

    Args:
        num_heads: int. Attention heads.
        hidden_dim: int. Width D.
        intermediate_dim: int. Width inside the feed-forward network.
        norm: "pre" or "post".
        dropout: float. Dropout of the output of each sublayer.
        attention_dropout: float. Dropout of attention weights.
        activation: str. See `FeedForward`.
        epsilon: float. Added to the variance in the normalisations.
        head_dim: int. Width of an attention head, by default D / H.
        kernel_initializer: str or `keras.initializers.Initializer`, of all matrices.

    Call arguments:
        inputs: float tensor (B, T, D).
        attention_mask: bool tensor that broadcasts to (B, H, T, T), True where attention is
            allowed.
        training: bool or None.

    Returns:
        Tensor (B, T, D).

    Raises:
        ValueError: if `norm` is neither "pre" nor "post".

    Reference: [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762); "pre" is
    [Xiong et al., 2020](https://arxiv.org/abs/2002.04745)
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        norm: str = "pre",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation: str = "relu",
        epsilon: float = 1e-6,
        head_dim: int | None = None,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if norm not in ("pre", "post"):
            raise ValueError(f"norm {norm!r} is neither 'pre' nor 'post'")
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.norm = norm
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.epsilon = epsilon
        self.head_dim = head_dim
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape):
        policy = self.dtype_policy
        self.attention = self._attention("attention", input_shape)
        self.attention_norm = self._normalization("attention_norm", input_shape)
        self.feed_forward = FeedForward(
            self.intermediate_dim,
            self.hidden_dim,
            self.activation,
            self.kernel_initializer,
            name="feed_forward",
            dtype=policy,
        )
        self.feed_forward.build(input_shape)
        self.feed_forward_norm = self._normalization("feed_forward_norm", input_shape)
        self.sublayer_dropout = Dropout(self.dropout, dtype=policy)
        self.built = True

    def _attention(self, name: str, *shapes, **options) -> MultiHeadAttention:
        layer = MultiHeadAttention(
            self.num_heads,
            self.hidden_dim,
            self.attention_dropout,
            self.head_dim,
            self.kernel_initializer,
            name=name,
            dtype=self.dtype_policy,
            **options,
        )
        layer.build(*shapes)
        return layer

    def _normalization(self, name: str, input_shape) -> LayerNormalization:
        layer = LayerNormalization(self.epsilon, name=name, dtype=self.dtype_policy)
        layer.build(input_shape)
        return layer

    def call(self, inputs, attention_mask=None, training=None):
        return self.with_attention(inputs, attention_mask, training)[0]

    def with_attention(self, inputs, attention_mask=None, training=None):
        """The output of the call, and the `Attention` with its weights and scores.

        Args:
            inputs, attention_mask, training: see the call.
        """
        x = self.sublayer_input(inputs, self.attention_norm)
        attention = self.attention.attend(x, attention_mask=attention_mask, training=training)
        hidden = self.add(inputs, attention.outputs, self.attention_norm, training)
        return self.add_feed_forward(hidden, training), attention

    def first_position(self, inputs, attention_mask=None, training=None):
        """The same for the first position alone, which sees all: T is 1 in what is returned.

        Args:
            inputs, attention_mask, training: see the call.
        """
        x = self.sublayer_input(inputs, self.attention_norm)
        attention = self.attention.attend_from_first(x, attention_mask, training)
        hidden = self.add(inputs[:, :1], attention.outputs, self.attention_norm, training)
        return self.add_feed_forward(hidden, training), attention

    # === Residual connections ===

    def sublayer_input(self, inputs, normalization):
        """The inputs as a sublayer reads them."""
        return normalization(inputs) if self.norm == "pre" else inputs

    def add(self, inputs, outputs, normalization, training=None):
        """Adds the outputs of a sublayer to its inputs.

        Args:
            inputs, outputs: float tensors (B, T, D).
            normalization: layer, of this sublayer.
            training: bool or None.
        """
        outputs = inputs + self.sublayer_dropout(outputs, training=training)
        return normalization(outputs) if self.norm == "post" else outputs

    def add_feed_forward(self, inputs, training=None):
        """The feed-forward sublayer of (B, T, D)."""
        outputs = self.feed_forward(self.sublayer_input(inputs, self.feed_forward_norm))
        return self.add(inputs, outputs, self.feed_forward_norm, training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "norm": self.norm,
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "epsilon": self.epsilon,
            "head_dim": self.head_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
