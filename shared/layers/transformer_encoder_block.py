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
    trains without a long warm-up and wants a normalisation after the last block.

    Args:
        num_heads: int. Attention heads.
        hidden_dim: int. Width D.
        intermediate_dim: int. Width inside the feed-forward network.
        norm: "pre" or "post".
        dropout: float. Dropout of what each sublayer gives.
        attention_dropout: float. Dropout of attention weights.
        activation: name of a Keras activation.
        epsilon: float. Of the normalisations.
        head_dim: int. Width of an attention head, by default D / H.

    Call arguments:
        inputs: float tensor (B, T, D).
        attention_mask: bool tensor that broadcasts to (B, H, T, T), True where attention is
            allowed.
        return_weights, return_scores: bool. Whether to return the attention weights (B, H, T, T),
            or the scores that they come from, as well; see `MultiHeadAttention`.
        first_only: bool. Whether only the first position, which sees all, is computed.

    Returns:
        Tensor (B, T, D), or the pair (tensor, weights or scores); T is 1 with `first_only`.

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

    def build(self, input_shape):
        policy = self.dtype_policy
        self.attention = self._attention("attention", input_shape)
        self.attention_norm = self._normalization("attention_norm", input_shape)
        self.feed_forward = FeedForward(
            self.intermediate_dim,
            self.hidden_dim,
            self.activation,
            name="feed_forward",
            dtype=policy,
        )
        self.feed_forward.build(input_shape)
        self.feed_forward_norm = self._normalization("feed_forward_norm", input_shape)
        self.sublayer_dropout = Dropout(self.dropout, dtype=policy)
        self.built = True

    def _attention(self, name: str, *shapes) -> MultiHeadAttention:
        layer = MultiHeadAttention(
            self.num_heads,
            self.hidden_dim,
            self.attention_dropout,
            self.head_dim,
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build(*shapes)
        return layer

    def _normalization(self, name: str, input_shape) -> LayerNormalization:
        layer = LayerNormalization(self.epsilon, name=name, dtype=self.dtype_policy)
        layer.build(input_shape)
        return layer

    def call(
        self,
        inputs,
        attention_mask=None,
        return_weights=False,
        return_scores=False,
        first_only=False,
        training=None,
    ):
        hidden, attention = self.residual(
            inputs,
            self.attention_norm,
            lambda x: self.attention(
                x,
                attention_mask=attention_mask,
                return_weights=True,
                return_scores=return_scores,
                first_only=first_only,
                training=training,
            ),
            training,
            first_only,
        )
        outputs, _ = self.residual(
            hidden,
            self.feed_forward_norm,
            lambda x: (self.feed_forward(x), None),
            training,
        )
        return (outputs, attention) if return_weights or return_scores else outputs

    def residual(self, inputs, normalization, sublayer, training=None, first_only=False):
        """Adds what `sublayer` makes of the inputs; returns the sum and what else it gives."""
        outputs, extra = sublayer(normalization(inputs) if self.norm == "pre" else inputs)
        inputs = inputs[:, :1] if first_only else inputs
        outputs = inputs + self.sublayer_dropout(outputs, training=training)
        return (normalization(outputs) if self.norm == "post" else outputs), extra

    def compute_output_spec(
        self, inputs, return_weights=False, return_scores=False, first_only=False, **_
    ):
        rows, length, width = inputs.shape
        queries = 1 if first_only else length
        outputs = keras.KerasTensor((rows, queries, width), self.compute_dtype)
        if not (return_weights or return_scores):
            return outputs
        shape = (rows, self.num_heads, queries, length)
        return outputs, keras.KerasTensor(shape, "float32")

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
        }
