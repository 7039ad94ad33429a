"""Head of the masked language model."""

import keras
from keras import ops

from apps.bert.encoder import bert_initializer
from shared.layers import LayerNormalization


@keras.saving.register_keras_serializable(package="kerasuite")
class MaskedLanguageHead(keras.layers.Layer):
    """Predicts the word pieces at masked positions, with the token embedding as output weights.

    Args:
        vocabulary_size: int. V.
        width: int. Width of the token embedding, E.
        activation: "gelu", "gelu_tanh" or "relu", as in the encoder.
        epsilon: float. Of the layer normalisation.

    Call arguments:
        sequence: (B, T, D), output of the encoder.
        positions: int32 (B, K).
        embedding: (V, E), the token embedding.

    Returns:
        Logits float32 (B, K, V).

    Reference: [Devlin et al., 2019](https://arxiv.org/abs/1810.04805)
    """

    def __init__(
        self,
        vocabulary_size: int,
        width: int,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.width = width
        self.activation = activation
        self.epsilon = epsilon

    def build(self, sequence_shape):
        self.transform = keras.layers.Dense(
            self.width, kernel_initializer=bert_initializer(), name="transform"
        )
        self.transform.build(sequence_shape)
        self.norm = LayerNormalization(self.epsilon, name="norm")
        self.norm.build((None, None, self.width))
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")
        self.built = True

    def call(self, sequence, positions, embedding):
        hidden = self.transform(ops.take_along_axis(sequence, positions[..., None], axis=1))
        if self.activation == "relu":
            hidden = ops.relu(hidden)
        else:
            hidden = ops.gelu(hidden, approximate=self.activation == "gelu_tanh")
        hidden = self.norm(hidden)
        logits = ops.matmul(hidden, ops.transpose(ops.cast(embedding, hidden.dtype)))
        return ops.cast(logits, "float32") + ops.cast(self.bias, "float32")

    def get_config(self):
        names = ("vocabulary_size", "width", "activation", "epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
