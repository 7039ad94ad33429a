"""The attention of a decoder on the memory that it was given."""

from keras import ops


class MemoryAttention:
    """Attention on one memory, whose keys are made once for all steps of a decoder.

    Args:
        score: a built `AttentionScore`.
        memory: float tensor (B, S, M).
        padding_mask: bool tensor (B, S), True for real positions, or None.
        keys: float tensor (B, S, A), from `score.keys`; None makes them of the memory.
        beam_size: int or int32 scalar. Hypotheses K of each sequence.

    Call arguments:
        queries: float tensor (B * K, D).

    Returns:
        Contexts (B * K, M) and weights (B, K, S).
    """

    def __init__(self, score, memory, padding_mask=None, keys=None, beam_size=1):
        self.score = score
        self.keys = score.keys(memory) if keys is None else keys
        self.memory = memory
        self.padding_mask = padding_mask
        self.beam_size = beam_size

    def __call__(self, queries):
        width = queries.shape[-1]
        context, weights = self.all(ops.reshape(queries, (-1, self.beam_size, width)))
        return ops.reshape(context, (-1, context.shape[-1])), weights

    def all(self, queries):
        """Contexts (B, T, M) and weights (B, T, S) of queries (B, T, D)."""
        return self.score.attend(queries, self.keys, self.memory, self.padding_mask)
