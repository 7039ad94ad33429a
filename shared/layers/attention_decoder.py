"""The decoder of recurrent translation: a stack of cells that attends to a memory."""

import keras
from keras import ops

from shared.layers.attention_score import make_score
from shared.layers.cell_stack import CellStack, unstack
from shared.layers.decoder_loop import DecoderLoop, Look, join, rows


@keras.saving.register_keras_serializable(package="kerasuite")
class AttentionDecoder(keras.layers.Layer):
    """Cells one above the other, and an attention that looks into a memory at every step.

    What comes out of step t is the attentional vector tanh(W [context; top output]). The query
    of the attention is the top output of the step itself, as in Luong et al. With `query_first`
    it is the hidden state of the step before, and the context an input of the first cell, as in
    Bahdanau et al. With input feeding the first cell also sees the last attentional vector.

    Called with all inputs, it computes what does not depend on the step before for all steps at
    once: the inputs' part of the gates, the keys of the memory and, where nothing of them is fed
    back, attention and attentional vectors. `start` and `step` do the same token by token.

    Args:
        hidden_dim: int. Width D of cells and attentional vectors.
        num_layers: int.
        cell: "lstm" or "gru".
        attention: "additive", "dot", "general" or "concat"; see `make_score`.
        query_first: bool. The attention stands before the cells.
        input_feeding: bool.
        residual: bool. Adds the input of each cell but the first to its output.
        dropout: float. Dropout between cells.
        seed: int or None. Makes dropout reproducible.

    Call arguments:
        inputs: float tensor (B, T, E).
        memory: float tensor (B, S, M).
        initial_state: float tensor (B, N, D), as `CellStack` orders its states.
        padding_mask: bool tensor (B, S), True for real positions of the memory, or None.
        training: bool or None.
        own_inputs: function of attentional vectors (B, D) to inputs (B, E) of the next step,
            for scheduled sampling, or None.
        is_own: bool tensor (B, T). Steps that read `own_inputs` in place of their input.

    Returns:
        Attentional vectors (B, T, D).

    Reference: [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473);
    [Luong et al., 2015](https://arxiv.org/abs/1508.04025);
    [Bengio et al., 2015](https://arxiv.org/abs/1506.03099) for scheduled sampling.
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
        batch, length, self.input_dim = inputs_shape
        width, policy = self.hidden_dim, self.dtype_policy
        fed = width * self.input_feeding + memory_shape[-1] * self.query_first
        self.stack = CellStack(
            width, self.num_layers, self.cell, self.residual, name="stack", dtype=policy
        )
        self.stack.build((batch, self.input_dim + fed))
        self.score = make_score(self.attention, width, name="score", dtype=policy)
        self.score.build((batch, length, width), memory_shape)
        self.combine = keras.layers.Dense(
            width, activation="tanh", use_bias=False, name="combine", dtype=policy
        )
        self.combine.build((batch, memory_shape[-1] + width))

    def call(
        self,
        inputs,
        memory,
        initial_state,
        padding_mask=None,
        training=None,
        own_inputs=None,
        is_own=None,
    ):
        look = Look(self.score, self.keys(memory), memory, padding_mask)
        loop = DecoderLoop(self, look, own_inputs)
        factors = self._dropout_factors(inputs) if training and self.seed_generator else None
        return loop.run(inputs, unstack(initial_state), factors, is_own)

    def _dropout_factors(self, inputs):
        """What inputs between cells are multiplied with: (B, T, (num_layers - 1) * D)."""
        shape = (*ops.shape(inputs)[:2], (self.num_layers - 1) * self.hidden_dim)
        ones = ops.ones(shape, dtype=self.compute_dtype)
        return keras.random.dropout(ones, self.dropout, seed=self.seed_generator)

    # === One step, with K hypotheses of each sequence ===

    def keys(self, memory):
        """What the attention needs of the memory (B, S, M) in every step."""
        return self.score.keys(memory)

    def start(self, initial_state, beam_size):
        """The state of K equal hypotheses: {"cells": (B, K, N, D), "vector": (B, K, D)}."""
        batch, *shape = ops.shape(initial_state)
        cells = ops.broadcast_to(initial_state[:, None], (batch, beam_size, *shape))
        if not self.input_feeding:
            return {"cells": cells}
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
        batch, count = ops.shape(inputs)[:2]
        look = Look(self.score, keys, memory, padding_mask, count)
        cells = ops.reshape(state["cells"], (-1, *state["cells"].shape[2:]))
        vector = rows(state["vector"]) if self.input_feeding else None
        fed, context, weights = self.feed(look, vector, unstack(cells))
        inputs = rows(inputs)
        top, cells = self.stack(inputs if fed is None else join(inputs, fed), cells)
        if context is None:
            context, weights = look(top)
        vector = self.combine(join(context, top))
        after = {"cells": cells, "vector": vector}
        after = {name: ops.reshape(after[name], ops.shape(state[name])) for name in state}
        return ops.reshape(vector, (batch, count, self.hidden_dim)), after, weights

    def feed(self, look, vector, states: list):
        """What the first cell is fed besides its input, and the context where it is part of it.

        Args:
            look: the attention.
            vector: float tensor (R, D), the last attentional vector, or None.
            states: list of the states (R, D) of the cells.

        Returns:
            Float tensor (R, F) or None; context (R, M) and weights (B, K, S), or None twice.
        """
        context = weights = None
        parts = [vector] if self.input_feeding else []
        if self.query_first:
            context, weights = look(states[-self.stack.states_per_cell])
            parts = [context, *parts]
        return (join(*parts) if parts else None), context, weights

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
