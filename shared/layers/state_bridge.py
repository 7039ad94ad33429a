"""The bridge from the last states of an encoder to the first of a decoder."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class StateBridge(keras.layers.Layer):
    """Maps each state by a network of its own, tanh(W s + b).

    Args:
        hidden_dim: int. Width D of the decoder's states.

    Call arguments:
        states: float tensor (B, N, E), as `RecurrentEncoder` returns them.

    Returns:
        Tensor (B, N, D).

    Reference: [Bahdanau et al., 2015, appendix A.2.2](https://arxiv.org/abs/1409.0473)
    """

    def __init__(self, hidden_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def build(self, states_shape):
        self.parts = []
        for index in range(states_shape[1]):
            part = keras.layers.Dense(
                self.hidden_dim, activation="tanh", name=f"state_{index}", dtype=self.dtype_policy
            )
            part.build((states_shape[0], states_shape[2]))
            self.parts.append(part)

    def call(self, states):
        return ops.stack([part(states[:, index]) for index, part in enumerate(self.parts)], axis=1)

    def compute_output_shape(self, states_shape):
        return (*states_shape[:2], self.hidden_dim)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
