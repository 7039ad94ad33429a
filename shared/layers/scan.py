"""A function applied from left to right along a sequence."""

import keras
from keras import ops


def scan(step, sequence: dict, states: list):
    """Applies a step along axis 1; runs in `keras.layers.RNN`, which loops well on every backend.

    `keras.ops.scan` asks for outputs of the shape of all states and would keep these for all steps.

    Args:
        step: function of (dict of tensors (N, ...), list of states) to (output (N, D), list of
            states). It may use tensors from outside.
        sequence: dict of float tensors (N, T, ...); each step gets a dict of their slices.
        states: list of float tensors (N, ...), those before the first step.

    Returns:
        Outputs (N, T, D).
    """
    widths = [tensor.shape[-1] for tensor in sequence.values()]
    ends = [sum(widths[: index + 1]) for index in range(len(widths) - 1)]

    def call(slices, states):
        slices = ops.split(slices, ends, axis=-1) if ends else [slices]
        return step(dict(zip(sequence, slices, strict=True)), list(states))

    joined = ops.concatenate(list(sequence.values()), axis=-1)
    cell = _FunctionCell(call, [state.shape[-1] for state in states], joined.dtype)
    loop = keras.layers.RNN(cell, return_sequences=True, dtype=cell.compute_dtype)
    return loop(joined, initial_state=states)


class _FunctionCell:
    """A function as a cell of `keras.layers.RNN`."""

    def __init__(self, function, state_size, dtype):
        self.function = function
        self.state_size = state_size
        self.compute_dtype = keras.backend.standardize_dtype(dtype)

    def call(self, inputs, states):
        return self.function(inputs, states)

    __call__ = call
