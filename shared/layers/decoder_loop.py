"""The inside of `AttentionDecoder`: its look at the memory, and its loop over given inputs."""

from keras import ops

from shared.layers.cell_stack import StackInLoop
from shared.layers.recurrent_step import recur


class Look:
    """Attention of rows (R, D), K of each sequence, on the memory of their sequences."""

    def __init__(self, score, keys, memory, padding_mask, count: int = 1):
        self.score = score
        self.memory = (keys, memory, padding_mask)
        self.count = count

    def __call__(self, queries):
        """Contexts (R, M) and weights (B, K, S) of queries (R, D)."""
        context, weights = self.all(ops.reshape(queries, (-1, self.count, queries.shape[-1])))
        return rows(context), weights

    def all(self, queries):
        """Contexts (B, K, M) and weights (B, K, S) of queries (B, K, D)."""
        return self.score.attend(queries, *self.memory)


class DecoderLoop:
    """All steps of a decoder whose inputs are given; does within the loop only what must be."""

    def __init__(self, decoder, look, own_inputs):
        self.decoder = decoder
        self.look = look
        self.own_inputs = own_inputs
        self.stack = StackInLoop(decoder.stack, decoder.input_dim)
        self.combine = ops.cast(decoder.combine.kernel, decoder.compute_dtype)
        self.feeds_back = decoder.input_feeding or own_inputs is not None

    def run(self, inputs, states: list, factors, is_own):
        """Attentional vectors (B, T, D)."""
        sequence = {"gates": self.stack.gates(inputs)}
        if factors is not None:
            sequence["factors"] = factors
        if self.own_inputs is not None:
            sequence["is_own"] = ops.cast(is_own, inputs.dtype)[..., None]
        if self.feeds_back:
            vectors, _ = recur(self._vector_step, sequence, [*states, ops.zeros_like(states[0])])
            return vectors
        outputs, _ = recur(self._step, sequence, states)
        if not self.decoder.query_first:
            context, _ = self.look.all(outputs)
            outputs = join(context, outputs)
        return self._vectors(outputs)

    def _vector_step(self, sequence, states):
        """A step from one attentional vector, the last of the states, to the next."""
        *states, vector = states
        if self.own_inputs is not None:
            gates = self.stack.gates(self.own_inputs(vector))
            sequence["gates"] = ops.where(sequence["is_own"] > 0, gates, sequence["gates"])
        top, context, states = self._climb(sequence, states, vector)
        if context is None:
            context, _ = self.look(top)
        vector = self._vectors(join(context, top))
        return vector, [*states, vector]

    def _step(self, sequence, states):
        """A step that leaves the attentional vector, or even the attention, for later."""
        top, context, states = self._climb(sequence, states)
        return (top if context is None else join(context, top)), states

    def _climb(self, sequence, states, vector=None):
        fed, context, _ = self.decoder.feed(self.look, vector, states)
        factors = ()
        if "factors" in sequence:
            factors = ops.split(sequence["factors"], self.decoder.num_layers - 1, axis=-1)
        top, states = self.stack(sequence["gates"], fed, states, factors)
        return top, context, states

    def _vectors(self, both):
        return ops.tanh(ops.matmul(both, self.combine))


def rows(tensor):
    """(B, K, D) to (B * K, D)."""
    return ops.reshape(tensor, (-1, tensor.shape[-1]))


def join(*tensors):
    """Side by side, along the last axis."""
    return ops.concatenate(tensors, axis=-1)
