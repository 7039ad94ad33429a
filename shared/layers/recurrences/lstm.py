"""LSTM, and its backpropagation through time."""

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
class LSTM(WholeSequences, keras.layers.LSTM):
    """`keras.layers.LSTM` that trains as `WholeSequences` says.

        i, f, o = sigmoid(p_i + h U_i), sigmoid(p_f + h U_f), sigmoid(p_o + h U_o)
        c = f c + i tanh(p_c + h U_c)
        h = o tanh(c)

    p is x W + b. Arguments as in Keras.

    Reference: [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735);
    [Gers et al., 2000](https://doi.org/10.1162/089976600300015015)
    """

    def recur(self, projected, states, mask):
        @ops.custom_gradient
        def recurrence(projected, recurrent_kernel, hidden, carry):
            (_, last, _), (hiddens, carries, gates) = scan(
                lambda states, now: _step(states, now, recurrent_kernel),
                [hidden, carry, ops.zeros_like(projected[0])],
                {"projected": projected} | ({} if mask is None else {"mask": mask}),
            )

            def gradient(d_hiddens, d_carry):
                before = before_each(hidden, hiddens), before_each(carry, carries)
                slopes = _slopes(gates, before[1], carries, mask)
                return _gradient(d_hiddens, d_carry, slopes, before[0], recurrent_kernel)

            return (hiddens, last), gradient

        hiddens, carry = recurrence(projected, ops.copy(self.cell.recurrent_kernel), *states)
        return hiddens, [hiddens[-1], carry]


def _step(states, now, recurrent_kernel):
    hidden, carry, _ = states
    logits = now["projected"] + ops.matmul(hidden, recurrent_kernel)
    i, f, candidate, o = ops.split(logits, 4, axis=-1)
    i, f, candidate, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(candidate), ops.sigmoid(o)
    new_carry = f * carry + i * candidate
    new_hidden = o * ops.tanh(new_carry)
    gates = ops.concatenate([i, f, candidate, o], axis=-1)
    states = [masked(new_hidden, hidden, now), masked(new_carry, carry, now), gates]
    return states, states


def _slopes(gates, carries_before, carries, mask) -> dict:
    """How much c (for o: h) grows with each logit, h with c, and c with the c before."""
    i, f, candidate, o = ops.split(gates, 4, axis=-1)
    squashed = ops.tanh(carries)
    by_logits = [
        candidate * i * (1 - i),
        carries_before * f * (1 - f),
        i * (1 - candidate * candidate),
        squashed * o * (1 - o),
    ]
    slopes = {
        "by_logits": ops.concatenate(by_logits, axis=-1),
        "h_by_c": o * (1 - squashed * squashed),
        "c_by_c": f,
    }
    return masked_slopes(slopes, mask, kept="c_by_c")


def _gradient(d_hiddens, d_carry, slopes, hiddens_before, recurrent_kernel):
    """Gradients with respect to p, U, and the first h and c.

    Args:
        d_hiddens: float tensor (T, B, D). Gradients with respect to h after each step.
        d_carry: float tensor (B, D). Gradient with respect to the last c.
        slopes: see `_slopes`.
        hiddens_before: float tensor (T, B, D).
        recurrent_kernel: float tensor (D, 4 D).
    """
    transposed = ops.transpose(recurrent_kernel)

    def back(states, now):
        d_hidden, d_carry, _ = states
        d_hidden = d_hidden + now["d_hidden"]
        d_carry = d_carry + d_hidden * now["h_by_c"]
        d_logits = ops.concatenate([d_carry] * 3 + [d_hidden], axis=-1) * now["by_logits"]
        before = ops.matmul(d_logits, transposed)
        if "skipped" in now:
            before = before + d_hidden * now["skipped"]
        states = [before, d_carry * now["c_by_c"], d_logits]
        return states, states

    (d_hidden, d_carry, _), (_, _, d_logits) = scan(
        back,
        [ops.zeros_like(d_carry), d_carry, ops.zeros_like(slopes["by_logits"][0])],
        {"d_hidden": d_hiddens} | slopes,
        reverse=True,
    )
    return d_logits, kernel_gradient(hiddens_before, d_logits), d_hidden, d_carry
