"""Recurrent layers one above the other that read from left to right."""

import keras
from keras import ops

from shared.layers.cell_stack import unstack
from shared.layers.dropout import Dropout
from shared.layers.recurrences import GRU, LSTM, SimpleRNN

LAYERS = {"rnn": SimpleRNN, "lstm": LSTM, "gru": GRU}


@keras.saving.register_keras_serializable(package="kerasuite")
class RecurrentStack(keras.layers.Layer):
    """A stack of Elman, LSTM or GRU layers.

    A layer's state is its last output h, and beside it the carry c of an LSTM:

        rnn    h = tanh(x W + h U + b)
        lstm   i, f, o = sigmoid(x W + h U + b), c = f c + i tanh(x W_c + h U_c + b_c),
               h = o tanh(c)
        gru    r, z = sigmoid(x W + b + h U + b'),
               h = z h + (1 - z) tanh(x W_n + b_n + r (h U_n + b'_n))

    Read in whole sequences (`call`) or position by position (`step`), with equal results. On a
    GPU, training runs in cuDNN. Other calls do not, because exported models must run anywhere.

    Args:
        hidden_dim: int. Width D of each layer.
        num_layers: int. Layers one above the other.
        cell: "rnn", "lstm" or "gru".
        dropout: float. Dropout between layers.

    Call arguments:
        inputs: float tensor (B, T, E).
        padding_mask: bool tensor (B, T), True for real positions, which come first; or None.
        training: bool or None.

    Returns:
        Outputs (B, T, D), and the states (B, N, D) after the last real position, layer by layer;
        N is `num_layers`, and twice that for an LSTM: h and c.

    Raises:
        ValueError: if the cell is unknown.

    Reference: [Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1);
    [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735), with the forget
    gate of [Gers et al., 2000](https://doi.org/10.1162/089976600300015015);
    [Cho et al., 2014](https://arxiv.org/abs/1406.1078)
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 1,
        cell: str = "lstm",
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if cell not in LAYERS:
            raise ValueError(f"cell is {', '.join(LAYERS)}, not {cell!r}")
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.cell = cell
        self.dropout = dropout
        self.supports_masking = True
        self.states_per_layer = 2 if cell == "lstm" else 1

    def build(self, inputs_shape):
        self.stack = [self._layer(index) for index in range(self.num_layers)]
        self.between = Dropout(self.dropout, dtype=self.dtype_policy)
        width = inputs_shape[-1]
        for layer in self.stack:
            layer.build((*inputs_shape[:-1], width))
            width = self.hidden_dim

    def _layer(self, index: int):
        return LAYERS[self.cell](
            self.hidden_dim,
            return_sequences=True,
            return_state=True,
            name=f"layer_{index}",
            dtype=self.dtype_policy,
        )

    def call(self, inputs, padding_mask=None, training=None):
        outputs, states = inputs, []
        for index, layer in enumerate(self.stack):
            if index:
                outputs = self.between(outputs, training=training)
            if self.cell != "rnn":
                layer.use_cudnn = "auto" if training else False
            outputs, *last = layer(outputs, mask=padding_mask, training=training)
            states += last
        return outputs, ops.stack(states, axis=1)

    def step(self, inputs, states):
        """One further position.

        Args:
            inputs: float tensor (B, E).
            states: float tensor (B, N, D), as the call returns them.

        Returns:
            Outputs (B, D) and the new states (B, N, D).
        """
        outputs, before, after = inputs, unstack(states), []
        for layer in self.stack:
            own, before = before[: self.states_per_layer], before[self.states_per_layer :]
            outputs, new = layer.cell(outputs, own)
            after += new
        return outputs, ops.stack(after, axis=1)

    def compute_output_shape(self, inputs_shape):
        states = self.num_layers * self.states_per_layer
        batch, length = inputs_shape[:2]
        return (batch, length, self.hidden_dim), (batch, states, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "dropout": self.dropout,
        }
