"""LSTM whose training on CPUs multiplies whole sequences, not single steps."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with a gradient of its own where there is no GPU.

    What does not depend on the step before is computed for all steps together: the products with
    the inputs, and the gradients of all weights. Both loops hold one product. Outside of
    training, with dropout, or with a GPU it is Keras's own.

    Args: those of `keras.layers.LSTM`, with its default activations.
    """

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not training or self.dropout or self.recurrent_dropout or not is_faster():
            return super().inner_loop(sequences, initial_state, mask, training)
        inputs, mask = time_major(sequences, self.go_backwards), time_major(mask, self.go_backwards)
        projected = ops.matmul(inputs, self.cell.kernel)
        if self.use_bias:
            projected = projected + self.cell.bias
        recurrent_kernel = ops.copy(self.cell.recurrent_kernel)
        hiddens, carry = lstm(projected, recurrent_kernel, *initial_state, mask)
        outputs = hiddens if self.return_sequences else hiddens[-1:]
        return hiddens[-1], ops.transpose(outputs, (1, 0, 2)), [hiddens[-1], carry]


def is_faster() -> bool:
    """Whether TensorFlow would derive the gradient, and not cuDNN on a GPU compute it."""
    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")


def time_major(sequences, backwards: bool = False):
    """A sequence (B, T, E) as (T, B, E), or a mask (B, T) as (T, B, 1), from its end on demand."""
    if sequences is None:
        return None
    if len(sequences.shape) == 2:
        sequences = sequences[..., None]
    sequences = ops.transpose(sequences, (1, 0, 2))
    return ops.flip(sequences, axis=0) if backwards else sequences


def lstm(projected, recurrent_kernel, hidden, carry, mask=None):
    """Runs an LSTM along a sequence.

        i, f, o = sigmoid(p_i + h U_i), sigmoid(p_f + h U_f), sigmoid(p_o + h U_o)
        c = f c + i tanh(p_c + h U_c)
        h = o tanh(c)

    Args:
        projected: float tensor (T, B, 4 D). Inputs after their kernel and bias: i, f, c, o.
        recurrent_kernel: float tensor (D, 4 D). U.
        hidden, carry: float tensors (B, D). h and c before the first step.
        mask: bool tensor (T, B, 1), or None. False leaves both states as they are.

    Returns:
        h after each step, float tensor (T, B, D), and the last c (B, D).
    """
    masks = {} if mask is None else {"mask": ops.cast(mask, projected.dtype)}

    @ops.custom_gradient
    def recurrence(projected, recurrent_kernel, hidden, carry):
        gates = ops.zeros_like(projected[0])
        (_, last, _), (hiddens, carries, gates) = ops.scan(
            lambda states, now: _step(states, now, recurrent_kernel),
            [hidden, carry, gates],
            {"projected": projected} | masks,
        )
        kept = {
            "h_before": ops.concatenate([hidden[None], hiddens[:-1]], axis=0),
            "c_before": ops.concatenate([carry[None], carries[:-1]], axis=0),
            "c": carries,
            "gates": gates,
        } | masks

        def gradient(d_hiddens, d_carry):
            return _gradient(d_hiddens, d_carry, kept, recurrent_kernel)

        return (hiddens, last), gradient

    return recurrence(projected, recurrent_kernel, hidden, carry)


def _step(states, now, recurrent_kernel):
    hidden, carry, _ = states
    logits = now["projected"] + ops.matmul(hidden, recurrent_kernel)
    i, f, candidate, o = ops.split(logits, 4, axis=-1)
    i, f, candidate, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(candidate), ops.sigmoid(o)
    new_carry = f * carry + i * candidate
    new_hidden = o * ops.tanh(new_carry)
    if "mask" in now:
        new_carry = carry + now["mask"] * (new_carry - carry)
        new_hidden = hidden + now["mask"] * (new_hidden - hidden)
    states = [new_hidden, new_carry, ops.concatenate([i, f, candidate, o], axis=-1)]
    return states, states


def _gradient(d_hiddens, d_carry, kept, recurrent_kernel):
    """Gradients with respect to `projected`, `recurrent_kernel`, `hidden` and `carry`.

    Args:
        d_hiddens: float tensor (T, B, D). Gradients with respect to h after each step.
        d_carry: float tensor (B, D). Gradient with respect to the last c.
        kept: of each step h and c before it, c after it, and the gates (T, B, 4 D).
        recurrent_kernel: float tensor (D, 4 D).
    """
    i, f, candidate, o = ops.split(kept["gates"], 4, axis=-1)
    squashed = ops.tanh(kept["c"])
    # How much c (for o: h) grows with each logit, h with c, and c with the c before.
    by_logits = [
        candidate * i * (1 - i),
        kept["c_before"] * f * (1 - f),
        i * (1 - candidate * candidate),
        squashed * o * (1 - o),
    ]
    slopes = {
        "by_logits": ops.concatenate(by_logits, axis=-1),
        "h_by_c": o * (1 - squashed * squashed),
        "c_by_c": f,
    }
    if (mask := kept.get("mask")) is not None:
        slopes = {name: slope * mask for name, slope in slopes.items()}
        slopes["c_by_c"] = slopes["c_by_c"] + 1 - mask
        slopes["skipped"] = 1 - mask
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

    (d_hidden, d_carry, _), (_, _, d_logits) = ops.scan(
        back,
        [ops.zeros_like(d_carry), d_carry, ops.zeros_like(kept["gates"][0])],
        {"d_hidden": d_hiddens} | slopes,
        reverse=True,
    )
    width = d_hidden.shape[-1]
    d_kernel = ops.matmul(
        ops.transpose(ops.reshape(kept["h_before"], (-1, width))),
        ops.reshape(d_logits, (-1, 4 * width)),
    )
    return d_logits, d_kernel, d_hidden, d_carry
