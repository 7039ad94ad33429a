"""The plain recurrent cell, and its backpropagation through time."""

import keras
from keras import ops

from shared.layers.recurrences.whole_sequences import (
    WholeSequences,
    before_each,
    kernel_gradient,
    masked,
    scan,
)


@keras.saving.register_keras_serializable(package="kerasuite")
class SimpleRNN(WholeSequences, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN` that trains as `WholeSequences` says: h = tanh(p + h U).

    p is x W + b. Arguments as in Keras.

    Reference: [Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1)
    """

    def recur(self, projected, states, mask):
        masks = {} if mask is None else {"mask": mask}

        @ops.custom_gradient
        def recurrence(projected, recurrent_kernel, hidden):
            def step(states, now):
                new = ops.tanh(now["projected"] + ops.matmul(states[0], recurrent_kernel))
                states = [masked(new, states[0], now), new]
                return states, states

            _, (hiddens, squashed) = scan(step, [hidden, hidden], {"projected": projected} | masks)

            def gradient(d_hiddens):
                slopes = {"slope": 1 - squashed * squashed}
                if mask is not None:
                    slopes = {"slope": slopes["slope"] * mask, "skipped": 1 - mask}
                before = before_each(hidden, hiddens)
                return _gradient(d_hiddens, slopes, before, recurrent_kernel)

            return hiddens, gradient

        hiddens = recurrence(projected, ops.copy(self.cell.recurrent_kernel), *states)
        return hiddens, [hiddens[-1]]


def _gradient(d_hiddens, slopes, hiddens_before, recurrent_kernel):
    """Gradients with respect to p, U and the first h.

    Args:
        d_hiddens: float tensor (T, B, D). Gradients with respect to h after each step.
        slopes: how much h grows with its logits, and with the h before where a step is left out.
        hiddens_before: float tensor (T, B, D).
        recurrent_kernel: float tensor (D, D).
    """
    transposed = ops.transpose(recurrent_kernel)

    def back(states, now):
        d_hidden = states[0] + now["d_hidden"]
        d_logits = d_hidden * now["slope"]
        before = ops.matmul(d_logits, transposed)
        if "skipped" in now:
            before = before + d_hidden * now["skipped"]
        return [before, d_logits], [before, d_logits]

    first = ops.zeros_like(d_hiddens[0])
    (d_hidden, _), (_, d_logits) = scan(
        back, [first, first], {"d_hidden": d_hiddens} | slopes, reverse=True
    )
    return d_logits, kernel_gradient(hiddens_before, d_logits), d_hidden
