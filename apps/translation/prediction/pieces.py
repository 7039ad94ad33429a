"""Lines cut into pieces that an exported translator reads as a whole."""

from collections.abc import Sequence

import numpy as np

from apps.translation.config import MAX_TOKENS
from apps.translation.prediction.long_lines import MAX_BYTES, count_bytes, cut_line
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.signatures import call_signature


def cut_lines(model: LoadedModel, lines: Sequence[str], max_words: int) -> list[list[str]]:
    """The pieces of each line, see `cut_line`, none with more tokens than the model reads."""
    cut = [cut_line(line, max_words) for line in lines]
    too_long = _too_long(model, [piece for line in cut for piece in line])

    def parts(piece: str) -> list[str]:
        return cut_line(piece, max_words, MAX_BYTES) if piece in too_long else [piece]

    return [[part for piece in line for part in parts(piece)] for line in cut]


def _too_long(model: LoadedModel, pieces: Sequence[str]) -> set[str]:
    """Pieces with too many tokens; for an export that does not count, all that may have."""
    doubtful = [piece for piece in pieces if count_bytes(piece) > MAX_BYTES]
    counts = count_tokens(model, doubtful, [""] * len(doubtful)) if doubtful else None
    if counts is None:
        return set(doubtful)
    return {piece for piece, count in zip(doubtful, counts[0], strict=True) if count > MAX_TOKENS}


def count_tokens(
    model: LoadedModel, sources: Sequence[str | bytes], targets: Sequence[str | bytes]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Tokens of source and target texts, ends included, int32 (N,); None of an older export."""
    if "count_tokens" not in model.module.signatures:
        return None
    outputs = call_signature(model, "count_tokens", text=list(sources), target=list(targets))
    return outputs["source_tokens"], outputs["target_tokens"]
