"""Recurrent cells one above the other, one step at a time."""

import keras
from keras import ops

CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}


@keras.saving.register_keras_serializable(package="kerasuite")
class CellStack(keras.layers.Layer):
    """One step of LSTM or GRU cells, each reading the output of the one below.

    `keras.layers.StackedRNNCells` has neither residual connections nor dropout between the cells;
    the cells themselves are Keras's own.

    Args:
        hidden_dim: int. Width D of every cell.
        num_layers: int. Number of cells.
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
        output, states = self.run_cells(inputs, unstack(states))
        return output, ops.stack(states, axis=1)

    def run_cells(self, inputs, states: list, dropout_factors=()):
        """One step of all cells, with the states as a list.

        Args:
            inputs: float tensor (R, E).
            states: list of the N states (R, D).
            dropout_factors: float tensors (R, D) that multiply the input of each cell but the
                first, or none.

        Returns:
            The top output (R, D) and the list of new states.
        """
        output, after, count = inputs, [], self.states_per_cell
        for index, cell in enumerate(self.cells):
            given = output * dropout_factors[index - 1] if index and dropout_factors else output
            hidden, new = cell(given, states[index * count : (index + 1) * count])
            output = output + hidden if self.residual and index else hidden
            after += new
        return output, after

    def top_hidden(self, states: list):
        """The hidden state of the last cell."""
        return states[-self.states_per_cell]

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


def unstack(states) -> list:
    """States (R, N, D) as a list of N tensors (R, D)."""
    return [states[:, index] for index in range(states.shape[1])]
