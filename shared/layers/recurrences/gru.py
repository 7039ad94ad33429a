"""GRU, and its backpropagation through time."""

import keras
from keras import ops

from shared.layers.recurrences.whole_sequences import (
    WholeSequences,
    before_each,
    kernel_gradient,
    masked,
    masked_slopes,
    scan,
)


@keras.saving.register_keras_serializable(package="kerasuite")
class GRU(WholeSequences, keras.layers.GRU):
    """`keras.layers.GRU`, with `reset_after=True`, that trains as `WholeSequences` says.

        z, r = sigmoid(p_z + h U_z + b'_z), sigmoid(p_r + h U_r + b'_r)
        n = tanh(p_n + r (h U_n + b'_n))
        h = z h + (1 - z) n

    p is x W + b. Arguments as in Keras.

    Reference: [Cho et al., 2014](https://arxiv.org/abs/1406.1078)
    """

    def input_bias(self):
        return self.cell.bias[0]

    def recur(self, projected, states, mask):
        bias = self.cell.bias[1] if self.use_bias else ops.zeros_like(projected[0, 0])

        @ops.custom_gradient
        def recurrence(projected, recurrent_kernel, bias, hidden):
            _, (hiddens, kept) = scan(
                lambda states, now: _step(states, now, recurrent_kernel, bias),
                [hidden, ops.concatenate([projected[0], hidden], axis=-1)],
                {"projected": projected} | ({} if mask is None else {"mask": mask}),
            )

            def gradient(d_hiddens):
                before = before_each(hidden, hiddens)
                return _gradient(d_hiddens, _slopes(kept, before, mask), before, recurrent_kernel)

            return hiddens, gradient

        kernel = ops.copy(self.cell.recurrent_kernel)
        hiddens = recurrence(projected, kernel, ops.copy(bias), *states)
        return hiddens, [hiddens[-1]]


def _step(states, now, recurrent_kernel, bias):
    hidden, _ = states
    p_z, p_r, p_n = ops.split(now["projected"], 3, axis=-1)
    u_z, u_r, u_n = ops.split(ops.matmul(hidden, recurrent_kernel) + bias, 3, axis=-1)
    z, r = ops.sigmoid(p_z + u_z), ops.sigmoid(p_r + u_r)
    n = ops.tanh(p_n + r * u_n)
    new = z * hidden + (1 - z) * n
    states = [masked(new, hidden, now), ops.concatenate([z, r, n, u_n], axis=-1)]
    return states, states


def _slopes(kept, hiddens_before, mask) -> dict:
    """How much h grows with what is added to p (z, r, n), with h U + b' (z, r, n), and with h."""
    z, r, n, u_n = ops.split(kept, 4, axis=-1)
    by_z = (hiddens_before - n) * z * (1 - z)
    by_n = (1 - z) * (1 - n * n)
    by_r = by_n * u_n * r * (1 - r)
    slopes = {
        "by_inputs": ops.concatenate([by_z, by_r, by_n], axis=-1),
        "by_recurrent": ops.concatenate([by_z, by_r, by_n * r], axis=-1),
        "h_by_h": z,
    }
    return masked_slopes(slopes, mask, kept="h_by_h")


def _gradient(d_hiddens, slopes, hiddens_before, recurrent_kernel):
    """Gradients with respect to p, U, b' and the first h.

    Args:
        d_hiddens: float tensor (T, B, D). Gradients with respect to h after each step.
        slopes: see `_slopes`.
        hiddens_before: float tensor (T, B, D).
        recurrent_kernel: float tensor (D, 3 D).
    """
    transposed = ops.transpose(recurrent_kernel)

    def back(states, now):
        d_hidden = states[0] + now["d_hidden"]
        d_recurrent = ops.tile(d_hidden, (1, 3)) * now["by_recurrent"]
        before = ops.matmul(d_recurrent, transposed) + d_hidden * now["h_by_h"]
        return [before, d_hidden], [before, d_hidden]

    first = ops.zeros_like(d_hiddens[0])
    looped = {name: slopes[name] for name in ("by_recurrent", "h_by_h")}
    (d_hidden, _), (_, d_hiddens) = scan(
        back, [first, first], {"d_hidden": d_hiddens} | looped, reverse=True
    )
    d_hiddens = ops.tile(d_hiddens, (1, 1, 3))
    d_recurrent = d_hiddens * slopes["by_recurrent"]
    d_kernel = kernel_gradient(hiddens_before, d_recurrent)
    return d_hiddens * slopes["by_inputs"], d_kernel, ops.sum(d_recurrent, (0, 1)), d_hidden
