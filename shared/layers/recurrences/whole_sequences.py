"""Backpropagation through time with most products outside of the loops.

TensorFlow derives the gradient of a loop from the loop: every step then multiplies its inputs by
their kernel, and adds a small product to the gradients of all weights. Written out, the products
with the inputs and the gradients of the weights are one product each for the whole sequence; the
loops, forwards and back, hold the one product with the recurrent kernel. A training step of two
LSTM layers of 256 cells, 32 windows of 64, takes 97 ms of CPU time so, and 195 ms without.
"""

import itertools

import keras
from keras import ops


class WholeSequences:
    """Gives a recurrent layer of Keras, mixed in before it, a gradient that is written out.

    It serves training where neither cuDNN nor dropout inside of the cells is in the way; all
    other calls are Keras's own. The layer has its default activations. Read backwards, a padded
    sequence begins with the initial states, where Keras's outputs are zeros.

    Subclasses write `recur`.
    """

    def recur(self, projected, states, mask):
        """Runs along a sequence.

        Args:
            projected: float tensor (T, B, G). Inputs after the kernel and the bias of the gates.
            states: list of float tensors (B, D), those before the first step.
            mask: float tensor (T, B, 1), 0 where the states stay as they are; or None.

        Returns:
            Outputs (T, B, D) and the list of the last states.
        """
        raise NotImplementedError

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not training or self.dropout or self.recurrent_dropout or not is_faster():
            return super().inner_loop(sequences, initial_state, mask, training)
        inputs = self._time_major(sequences)
        if mask is not None:
            mask = self._time_major(ops.cast(mask, inputs.dtype)[..., None])
        projected = ops.matmul(inputs, self.cell.kernel)
        if self.use_bias:
            projected = projected + self.input_bias()
        outputs, states = self.recur(projected, list(initial_state), mask)
        shown = outputs if self.return_sequences else outputs[-1:]
        return outputs[-1], ops.transpose(shown, (1, 0, 2)), states

    def input_bias(self):
        """The bias that is added to the inputs after their kernel."""
        return self.cell.bias

    def _time_major(self, sequences):
        """(B, T, E) as (T, B, E), from its end if the layer reads so."""
        sequences = ops.transpose(sequences, (1, 0, 2))
        return ops.flip(sequences, axis=0) if self.go_backwards else sequences


def is_faster() -> bool:
    """Whether TensorFlow would derive the gradient, and not cuDNN on a GPU compute it."""
    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def scan(step, states, sequence: dict, reverse: bool = False):
    """`keras.ops.scan` along the first axis of several tensors, also of unknown length.

    Of unknown length it takes a single tensor only: the others are joined to it.

    Args:
        step: function of (states, {name: slice}) to (states, outputs), in the shapes of the states.
        states: list of tensors, before the first step.
        sequence: name to float tensor (T, B, ...).
        reverse: bool. Begins at the end.

    Returns:
        The last states, and the outputs (T, ...), two lists.
    """
    if next(iter(sequence.values())).shape[0] is not None:
        return ops.scan(step, states, sequence, reverse=reverse)
    widths = [tensor.shape[-1] for tensor in sequence.values()]
    ends = list(itertools.accumulate(widths))[:-1]

    def joined_step(states, now):
        slices = ops.split(now, ends, axis=-1) if ends else [now]
        return step(states, dict(zip(sequence, slices, strict=True)))

    joined = ops.concatenate(list(sequence.values()), axis=-1)
    return ops.scan(joined_step, states, joined, reverse=reverse)


def masked(new, old, now):
    """The new state (B, D), or the old one where the mask of a step is 0."""
    return old + now["mask"] * (new - old) if "mask" in now else new


def masked_slopes(slopes: dict, mask, kept: str) -> dict:
    """Slopes of a step that a mask may leave out.

    Args:
        slopes: name to float tensor (T, B, ...): how much a step changes with what it reads.
        mask: float tensor (T, B, 1), or None.
        kept: the slope of a state by itself a step before, which is 1 where the step is left out.
    """
    if mask is None:
        return slopes
    slopes = {name: slope * mask for name, slope in slopes.items()}
    return slopes | {kept: slopes[kept] + 1 - mask, "skipped": 1 - mask}


def before_each(first, states):
    """States (T, B, D) before each step, from those after it and the first (B, D)."""
    return ops.concatenate([first[None], states[:-1]], axis=0)


def kernel_gradient(states_before, d_logits):
    """The sum over steps and rows of h^T d: (T, B, D) and (T, B, G) to (D, G)."""
    rows = [ops.reshape(tensor, (-1, tensor.shape[-1])) for tensor in (states_before, d_logits)]
    return ops.matmul(ops.transpose(rows[0]), rows[1])
