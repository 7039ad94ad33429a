"""The encoder of recurrent translation: layers that read a sequence from both ends."""

import keras
from keras import ops

from shared.layers.dropout import Dropout
from shared.layers.recurrences import GRU, LSTM

LAYERS = {"lstm": LSTM, "gru": GRU}


@keras.saving.register_keras_serializable(package="kerasuite")
class RecurrentEncoder(keras.layers.Layer):
    """A stack of bidirectional LSTM or GRU layers.

    Each direction has half of the width, so that both together are as wide as the layer. On a
    GPU, training runs in cuDNN. Other calls do not, because exported models must run anywhere.

    Args:
        hidden_dim: int. Width D of each layer, both directions together; even.
        num_layers: int. Layers one above the other.
        cell: "lstm" or "gru".
        dropout: float. Dropout between layers.
        residual: bool. Adds the input of each layer but the first to its output.

    Call arguments:
        inputs: float tensor (B, S, E).
        padding_mask: bool tensor (B, S), True for real positions, padded on the right.
        training: bool or None.

    Returns:
        Outputs (B, S, D), zero at padded positions, and the last state of every layer (B, N, D):
        those of both directions side by side, layer by layer; N is `num_layers` for a GRU and
        twice that for an LSTM, hidden state and then carry.

    Raises:
        ValueError: if `hidden_dim` is odd or the cell unknown.

    Reference: [Schuster and Paliwal, 1997](https://doi.org/10.1109/78.650093);
    [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 1,
        cell: str = "lstm",
        dropout: float = 0.0,
        residual: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if hidden_dim % 2:
            raise ValueError(f"hidden_dim must be even (one half a direction), not {hidden_dim}")
        if cell not in LAYERS:
            raise ValueError(f"cell is lstm or gru, not {cell!r}")
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.cell = cell
        self.dropout = dropout
        self.residual = residual
        self.supports_masking = True

    def build(self, inputs_shape):
        self.forwards = [self._direction(index, "forwards") for index in range(self.num_layers)]
        self.backwards = [self._direction(index, "backwards") for index in range(self.num_layers)]
        self.between = Dropout(self.dropout, dtype=self.dtype_policy)
        width = inputs_shape[-1]
        for pair in zip(self.forwards, self.backwards, strict=True):
            for direction in pair:
                direction.build((*inputs_shape[:-1], width))
            width = self.hidden_dim

    def _direction(self, index, way):
        return LAYERS[self.cell](
            self.hidden_dim // 2,
            return_sequences=True,
            return_state=True,
            go_backwards=way == "backwards",
            name=f"layer_{index}_{way}",
            dtype=self.dtype_policy,
        )

    def call(self, inputs, padding_mask=None, training=None):
        x, states = inputs, []
        for index, pair in enumerate(zip(self.forwards, self.backwards, strict=True)):
            outputs, last = self._both_ways(pair, x, padding_mask, training)
            states += last
            x = x + outputs if self.residual and index > 0 else outputs
            if index + 1 < self.num_layers:
                x = self.between(x, training=training)
        if padding_mask is not None:
            x = x * ops.cast(padding_mask, x.dtype)[..., None]
        return x, ops.stack(states, axis=1)

    def _both_ways(self, pair, inputs, padding_mask, training):
        """Outputs (B, S, D) of one layer and the list of its last states (B, D)."""
        results = []
        for direction in pair:
            direction.use_cudnn = "auto" if training else False
            results.append(direction(inputs, mask=padding_mask, training=training))
        (first, *first_states), (second, *second_states) = results
        states = zip(first_states, second_states, strict=True)
        outputs = ops.concatenate([first, ops.flip(second, axis=1)], axis=-1)
        return outputs, [ops.concatenate(pair, axis=-1) for pair in states]

    def compute_output_shape(self, inputs_shape):
        states = self.num_layers * (2 if self.cell == "lstm" else 1)
        batch = inputs_shape[0]
        return (batch, inputs_shape[1], self.hidden_dim), (batch, states, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "dropout": self.dropout,
            "residual": self.residual,
        }
