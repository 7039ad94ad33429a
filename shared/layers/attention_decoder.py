"""The decoder of recurrent translation: a stack of cells that attends to a memory."""

import keras
from keras import ops

from shared.layers.attention_score import make_score
from shared.layers.cell_stack import CellStack, unstack
from shared.layers.memory_attention import MemoryAttention
from shared.layers.scan import scan


@keras.saving.register_keras_serializable(package="kerasuite")
class AttentionDecoder(keras.layers.Layer):
    """Cells one above the other, and an attention on a memory at every step.

    A step makes of the input x_t and the last hidden state h_{t-1} the context c_t and the next
    hidden state, in the order of Luong et al.

        h_t = cells([x_t; h~_{t-1}], h_{t-1})
        c_t = attention(h_t, memory)

    or, with `query_first`, in that of Bahdanau et al.

        c_t = attention(h_{t-1}, memory)
        h_t = cells([x_t; c_t; h~_{t-1}], h_{t-1})

    and returns the attentional vector h~_t = tanh(W_c [c_t; h_t]). Without input feeding the cells
    do not see h~_{t-1}.

    Called with all inputs, it runs `advance` from left to right; `start` and `step` do the same
    token by token, for several hypotheses of each sequence.

    Args:
        hidden_dim: int. Width D of cells and attentional vectors.
        num_layers: int. Cells one above the other.
        cell: "lstm" or "gru".
        attention: "additive", "dot", "general" or "concat"; see `make_score`.
        query_first: bool. Whether the attention comes before the cells.
        input_feeding: bool. Whether the cells see the last attentional vector.
        residual: bool. Adds the input of each cell but the first to its output.
        dropout: float. Dropout between cells.
        seed: int or None. Makes dropout reproducible.

    Call arguments:
        inputs: float tensor (B, T, E).
        memory: float tensor (B, S, M).
        initial_state: float tensor (B, N, D), as `CellStack` orders its states.
        padding_mask: bool tensor (B, S), True for real positions of the memory, or None.
        training: bool or None.

    Returns:
        Attentional vectors (B, T, D).

    Raises:
        ValueError: if the cell or the attention is unknown.

    Reference: [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473);
    [Luong et al., 2015](https://arxiv.org/abs/1508.04025)
    """

    def __init__(
        self,
        hidden_dim: int,
        num_layers: int = 1,
        cell: str = "lstm",
        attention: str = "general",
        query_first: bool = False,
        input_feeding: bool = True,
        residual: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.cell = cell
        self.attention = attention
        self.query_first = query_first
        self.input_feeding = input_feeding
        self.residual = residual
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        # A decoder with nothing to drop owns no random state.
        drops = dropout > 0 and num_layers > 1
        self.seed_generator = keras.random.SeedGenerator(seed) if drops else None

    def build(self, inputs_shape, memory_shape):
        batch, length, input_dim = inputs_shape
        width, policy = self.hidden_dim, self.dtype_policy
        fed = width * self.input_feeding + memory_shape[-1] * self.query_first
        self.stack = CellStack(
            width, self.num_layers, self.cell, self.residual, name="stack", dtype=policy
        )
        self.stack.build((batch, input_dim + fed))
        self.score = make_score(self.attention, width, name="score", dtype=policy)
        self.score.build((batch, length, width), memory_shape)
        self.combine = keras.layers.Dense(
            width, activation="tanh", use_bias=False, name="combine", dtype=policy
        )
        self.combine.build((batch, memory_shape[-1] + width))

    # === One step, as in the papers ===

    def advance(self, inputs, vector, states: list, attention, dropout_factors=()):
        """One step of R rows.

        Args:
            inputs: float tensor (R, E), x_t.
            vector: float tensor (R, D), h~_{t-1}.
            states: list of N float tensors (R, D), h_{t-1} and the carries.
            attention: a `MemoryAttention`.
            dropout_factors: see `CellStack.run_cells`.

        Returns:
            h~_t (R, D), the list of new states and the attention's weights (B, K, S).
        """
        if self.query_first:
            context, weights = attention(self.stack.top_hidden(states))
            hidden, states = self.stack.run_cells(
                self.cell_input(inputs, vector, context), states, dropout_factors
            )
        else:
            hidden, states = self.stack.run_cells(
                self.cell_input(inputs, vector), states, dropout_factors
            )
            context, weights = attention(hidden)
        return self.combine(ops.concatenate([context, hidden], axis=-1)), states, weights

    def cell_input(self, inputs, vector, *context):
        """[x_t; c_t; h~_{t-1}], the latter two where they are fed: (R, F)."""
        parts = [inputs, *context, *([vector] if self.input_feeding else [])]
        return ops.concatenate(parts, axis=-1) if len(parts) > 1 else inputs

    # === All steps ===

    def call(self, inputs, memory, initial_state, padding_mask=None, training=None):
        attention = MemoryAttention(self.score, memory, padding_mask)
        sequence = self._sequence(inputs, training)
        states = unstack(initial_state)
        if not (self.query_first or self.input_feeding):
            return self._attend_last(sequence, states, attention)
        return self._all_steps(sequence, states, attention)

    def sample_scheduled(
        self, inputs, memory, initial_state, padding_mask, is_own, own_inputs, training=None
    ):
        """The same as `call`, with some inputs made of the decoder's own vectors.

        Args:
            inputs, memory, initial_state, padding_mask, training: see the call.
            is_own: bool tensor (B, T). Steps that read `own_inputs` instead of their input.
            own_inputs: function of attentional vectors h~_{t-1} (B, D) to inputs x_t (B, E).

        Returns:
            Attentional vectors (B, T, D).

        Reference: [Bengio et al., 2015](https://arxiv.org/abs/1506.03099)
        """
        attention = MemoryAttention(self.score, memory, padding_mask)
        sequence = self._sequence(inputs, training)
        sequence["is_own"] = ops.cast(is_own, inputs.dtype)[..., None]
        return self._all_steps(sequence, unstack(initial_state), attention, own_inputs)

    def _all_steps(self, sequence: dict, states: list, attention, own_inputs=None):
        def step(now, states):
            *cells, vector = states
            inputs = now["inputs"]
            if own_inputs is not None:
                inputs = ops.where(now["is_own"] > 0, own_inputs(vector), inputs)
            factors = self._per_cell(now)
            vector, cells, _ = self.advance(inputs, vector, cells, attention, factors)
            return vector, [*cells, vector]

        return scan(step, sequence, [*states, ops.zeros_like(states[0])])

    def _attend_last(self, sequence: dict, states: list, attention):
        """All steps of a decoder that is fed nothing: first all hidden states, then one attention.

        The gradient of 128 sequences of 20 steps, 256 wide, takes two thirds of the time of the
        attention within the loop (two cores, CPU time).
        """

        def step(now, states):
            return self.stack.run_cells(now["inputs"], states, self._per_cell(now))

        hidden = scan(step, sequence, states)
        context, _ = attention.all(hidden)
        return self.combine(ops.concatenate([context, hidden], axis=-1))

    def _sequence(self, inputs, training) -> dict:
        """Inputs, and in training the dropout factors of all steps: (B, T, (num_layers - 1) D)."""
        if not training or self.seed_generator is None:
            return {"inputs": inputs}
        shape = (*ops.shape(inputs)[:2], (self.num_layers - 1) * self.hidden_dim)
        ones = ops.ones(shape, dtype=self.compute_dtype)
        factors = keras.random.dropout(ones, self.dropout, seed=self.seed_generator)
        return {"inputs": inputs, "dropout_factors": factors}

    def _per_cell(self, now: dict):
        if "dropout_factors" not in now:
            return ()
        return ops.split(now["dropout_factors"], self.num_layers - 1, axis=-1)

    # === One step, with K hypotheses of each sequence ===

    def keys(self, memory):
        """Keys of the memory (B, S, M), which every step uses: see `AttentionScore`."""
        return self.score.keys(memory)

    def start(self, initial_state, beam_size):
        """The state of K equal hypotheses: {"cells": (B, K, N, D), "vector": (B, K, D)}."""
        batch, *shape = ops.shape(initial_state)
        cells = ops.broadcast_to(initial_state[:, None], (batch, beam_size, *shape))
        return {"cells": cells, "vector": ops.zeros_like(cells[:, :, 0])}

    def step(self, inputs, state, keys, memory, padding_mask=None):
        """One step further.

        Args:
            inputs: float tensor (B, K, E).
            state: of `start` or of the step before.
            keys: of `keys`.
            memory, padding_mask: as in the call.

        Returns:
            Attentional vectors (B, K, D), the new state and the weights (B, K, S).
        """
        attention = MemoryAttention(
            self.score, memory, padding_mask, keys, beam_size=ops.shape(inputs)[1]
        )
        cells = ops.reshape(state["cells"], (-1, *state["cells"].shape[2:]))
        vector, cells, weights = self.advance(
            _rows(inputs), _rows(state["vector"]), unstack(cells), attention
        )
        after = {"cells": ops.stack(cells, axis=1), "vector": vector}
        after = {name: ops.reshape(after[name], ops.shape(state[name])) for name in state}
        return after["vector"], after, weights

    def compute_output_shape(self, inputs_shape):
        return (*inputs_shape[:-1], self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "attention": self.attention,
            "query_first": self.query_first,
            "input_feeding": self.input_feeding,
            "residual": self.residual,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _rows(tensor):
    """(B, K, D) to (B * K, D)."""
    return ops.reshape(tensor, (-1, tensor.shape[-1]))
