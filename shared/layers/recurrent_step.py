"""Recurrent steps whose inputs are multiplied before the loop, on the weights of Keras's cells.

A cell of Keras multiplies its input and its state by their kernels in every step. Of the input,
what is known before the first step (the embedding of a token) needs no loop: `gates` multiplies
all steps at once, and a step adds only what depends on the step before. The weights stay those
of `keras.layers.LSTMCell` and `GRUCell`, and so do the results.

    step = make_step(cell, inputs.shape[-1], "float32")

    def body(sequence, states):
        states = step(sequence["gates"], states)
        return states[0], states

    outputs, states = recur(body, {"gates": step.gates(inputs)}, states)
"""

import keras
from keras import ops


class RecurrentStep:
    """One step of a cell; made anew in every call, so that its kernels are cast once.

    Args:
        cell: a built cell of Keras.
        known: int. The first entries of the cell's input, which `gates` multiplies; the others
            are given to each step.
        dtype: of the computation.
    """

    def __init__(self, cell, known: int, dtype: str):
        self.units = cell.units
        kernel = ops.cast(cell.kernel, dtype)
        self.known_kernel, self.fed_kernel = kernel[:known], kernel[known:]
        self.recurrent_kernel = ops.cast(cell.recurrent_kernel, dtype)
        self.bias = ops.cast(cell.bias, dtype)

    def gates(self, inputs):
        """What inputs (..., known) add to the gates: (..., G)."""
        return ops.matmul(inputs, self.known_kernel) + self.input_bias

    def __call__(self, gates, states, fed=None):
        """The states after a step; the first of them is the output.

        Args:
            gates: float tensor (N, G).
            states: list of float tensors (N, units).
            fed: float tensor (N, F), the rest of the input, or None.
        """
        raise NotImplementedError


class LSTMStep(RecurrentStep):
    """Step of `keras.layers.LSTMCell`; gates are input, forget, candidate, output.

    Reference: [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)
    """

    def __init__(self, cell, known, dtype):
        super().__init__(cell, known, dtype)
        self.input_bias = self.bias
        # What is fed and the state go through one product.
        self.step_kernel = ops.concatenate([self.fed_kernel, self.recurrent_kernel], axis=0)

    def __call__(self, gates, states, fed=None):
        hidden, carry = states
        joint = hidden if fed is None else ops.concatenate([fed, hidden], axis=-1)
        enter, forget, candidate, leave = ops.split(
            gates + ops.matmul(joint, self.step_kernel), 4, axis=-1
        )
        carry = ops.sigmoid(forget) * carry + ops.sigmoid(enter) * ops.tanh(candidate)
        return [ops.sigmoid(leave) * ops.tanh(carry), carry]


class GRUStep(RecurrentStep):
    """Step of `keras.layers.GRUCell` (`reset_after`); gates are update, reset, candidate.

    Reference: [Cho et al., 2014](https://arxiv.org/abs/1406.1078); the reset gate stands behind
    the product, as in cuDNN.
    """

    def __init__(self, cell, known, dtype):
        super().__init__(cell, known, dtype)
        self.input_bias, self.recurrent_bias = self.bias[0], self.bias[1]

    def __call__(self, gates, states, fed=None):
        (hidden,) = states
        if fed is not None:
            gates = gates + ops.matmul(fed, self.fed_kernel)
        inner = ops.matmul(hidden, self.recurrent_kernel) + self.recurrent_bias
        both = 2 * self.units
        update, reset = ops.split(ops.sigmoid(gates[:, :both] + inner[:, :both]), 2, axis=-1)
        candidate = ops.tanh(gates[:, both:] + reset * inner[:, both:])
        return [update * hidden + (1 - update) * candidate]


def make_step(cell, known: int, dtype: str) -> RecurrentStep:
    """The step of a built cell of Keras."""
    step = LSTMStep if isinstance(cell, keras.layers.LSTMCell) else GRUStep
    return step(cell, known, dtype)


def recur(step, sequence: dict, states: list):
    """Applies a step along axis 1.

    Args:
        step: function of (dict of tensors (N, ...), list of states) to (output (N, D), list of
            states). It may use tensors from outside.
        sequence: dict of float tensors (N, T, ...), what each step is given.
        states: list of float tensors (N, ...), those before the first step.

    Returns:
        Outputs (N, T, D) and the list of states after the last step.
    """
    names = list(sequence)
    sizes = [sequence[name].shape[-1] for name in names]
    places = [sum(sizes[:index]) for index in range(1, len(sizes))]

    def named_step(parts, states):
        parts = ops.split(parts, places, axis=-1) if places else [parts]
        return step(dict(zip(names, parts, strict=True)), list(states))

    whole = ops.concatenate([sequence[name] for name in names], axis=-1)
    cell = _FunctionCell(named_step, [state.shape[-1] for state in states], whole.dtype)
    loop = keras.layers.RNN(
        cell, return_sequences=True, return_state=True, dtype=cell.compute_dtype
    )
    outputs, *states = loop(whole, initial_state=states)
    return outputs, states


class _FunctionCell:
    """A function as a cell of `keras.layers.RNN`, which loops well on every backend."""

    def __init__(self, step, state_size, dtype):
        self.step = step
        self.state_size = state_size
        self.compute_dtype = keras.backend.standardize_dtype(dtype)

    def call(self, inputs, states):
        return self.step(inputs, states)

    __call__ = call
