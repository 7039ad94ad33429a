"""Recurrent cells one above the other, one step at a time."""

import keras
from keras import ops

from shared.layers.recurrent_step import make_step

CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}


@keras.saving.register_keras_serializable(package="kerasuite")
class CellStack(keras.layers.Layer):
    """One step of LSTM or GRU cells, each reading the output of the one below.

    Args:
        hidden_dim: int. Width D of every cell.
        num_layers: int.
        cell: "lstm" or "gru".
        residual: bool. Adds the input of each cell but the first to its output.

    Call arguments:
        inputs: float tensor (R, E).
        states: float tensor (R, N, D), cell by cell; N is `num_layers` for a GRU and twice that
            for an LSTM, hidden state and then carry.

    Returns:
        The top output (R, D) and the new states (R, N, D).

    Raises:
        ValueError: if the cell is unknown.

    Reference: [Wu et al., 2016, section 3.1](https://arxiv.org/abs/1609.08144) for residual
    connections.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 1,
        cell: str = "lstm",
        residual: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"cell is lstm or gru, not {cell!r}")
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.cell = cell
        self.residual = residual
        self.states_per_cell = 2 if cell == "lstm" else 1

    def build(self, inputs_shape):
        self.cells = []
        for index in range(self.num_layers):
            cell = CELLS[self.cell](self.hidden_dim, name=f"cell_{index}", dtype=self.dtype_policy)
            cell.build((inputs_shape[0], self.hidden_dim if index else inputs_shape[-1]))
            self.cells.append(cell)

    def call(self, inputs, states):
        def advance(index, given, states):
            return self.cells[index](given, states)[1]

        output, states = self.climb(advance, inputs, unstack(states))
        return output, ops.stack(states, axis=1)

    def climb(self, advance, given, states: list, factors=()):
        """One step of all cells.

        Args:
            advance: function of (index of a cell, its input, its states) to its new states.
            given: the input of the first cell, as `advance` takes it.
            states: list of the N states (R, D).
            factors: what the input of each cell but the first is multiplied with (dropout), or
                nothing.

        Returns:
            The top output (R, D) and the list of new states.
        """
        output, after, count = None, [], self.states_per_cell
        for index in range(self.num_layers):
            if index > 0:
                given = output * factors[index - 1] if factors else output
            new = advance(index, given, states[index * count : (index + 1) * count])
            output = new[0] + output if self.residual and index > 0 else new[0]
            after += new
        return output, after

    def compute_output_shape(self, inputs_shape):
        rows = inputs_shape[0]
        states = self.num_layers * self.states_per_cell
        return (rows, self.hidden_dim), (rows, states, self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "residual": self.residual,
        }


class StackInLoop:
    """The same step within a loop, with what is known before the loop multiplied there.

    Args:
        stack: a built `CellStack`.
        known: int. The first entries of the stack's input, which `gates` multiplies.
    """

    def __init__(self, stack: CellStack, known: int):
        self.stack = stack
        self.steps = [
            make_step(cell, 0 if index else known, stack.compute_dtype)
            for index, cell in enumerate(stack.cells)
        ]

    def gates(self, inputs):
        """What inputs (..., known) add to the gates of the first cell, (..., G)."""
        return self.steps[0].gates(inputs)

    def __call__(self, gates, fed, states: list, factors=()):
        """A step with gates (R, G), the rest `fed` of the first cell's input, or None.

        Returns:
            The top output (R, D) and the list of new states; see `CellStack.climb`.
        """

        def advance(index, given, states):
            step = self.steps[index]
            if index == 0:
                return step(gates, states, given)
            return step(step.input_bias, states, given)

        return self.stack.climb(advance, fed, states, factors)


def unstack(states) -> list:
    """States (R, N, D) as a list of N tensors (R, D)."""
    return [states[:, index] for index in range(states.shape[1])]
