"""Log-probabilities of given translations."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from apps.translation.config import MAX_TOKENS
from apps.translation.pairs.sentence_pairs import SentencePairs
from apps.translation.prediction.long_lines import batches, count_words
from apps.translation.prediction.pieces import count_tokens
from shared.common.files import write_text
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.engine.saved_model.signatures import call_signature
from shared.text.line_files import clean_line

# Pairs, and words of the longer sides together, in one call; a longer text is not scored.
PAIRS_OF_CALL, WORDS_OF_CALL, MAX_SCORED_WORDS = 64, 4096, 1000
HEADER = ("where", "score", "tokens", "source", "target")


class PairScore(NamedTuple):
    """The score of one pair by a model.

    Attributes:
        log_probability: of the target given the source, its end included.
        tokens: int. Tokens of the target that were scored.
        is_cut: bool. Whether a side has more tokens than the model reads; False where the export
            is too old to know.
    """

    log_probability: float
    tokens: int
    is_cut: bool


def score_pairs(model: LoadedModel, pairs: SentencePairs) -> list[PairScore | None]:
    """The score of each pair; None where a side has more than `MAX_SCORED_WORDS` words."""
    lengths = [
        max(count_words(source), count_words(target))
        for source, target in zip(pairs.source, pairs.target, strict=True)
    ]
    kept = [index for index, length in enumerate(lengths) if length <= MAX_SCORED_WORDS]
    found: list[PairScore | None] = [None] * len(lengths)
    for batch in batches([lengths[index] for index in kept], PAIRS_OF_CALL, WORDS_OF_CALL):
        chosen = [kept[index] for index in batch]
        scores = _score(
            model,
            [_bytes(pairs.source[index]) for index in chosen],
            [_bytes(pairs.target[index]) for index in chosen],
        )
        for index, score in zip(chosen, scores, strict=True):
            found[index] = score
    return found


def _score(model: LoadedModel, sources: list[bytes], targets: list[bytes]) -> list[PairScore]:
    outputs = call_signature(model, "score", text=sources, target=targets)
    counts = count_tokens(model, sources, targets)
    lengths = [0] * len(sources) if counts is None else map(max, *counts)
    return [
        PairScore(float(score), int(tokens), bool(length > MAX_TOKENS))
        for score, tokens, length in zip(outputs["score"], outputs["tokens"], lengths, strict=True)
    ]


def write_scores(pairs: SentencePairs, scores: Sequence[PairScore | None], output: Path) -> None:
    """Writes a tab-separated file with the columns of HEADER; no score is two empty cells."""
    lines = ["\t".join(HEADER)]
    columns = (pairs.where, scores, pairs.source, pairs.target)
    for where, found, source, target in zip(*columns, strict=True):
        value = "" if found is None else f"{found.log_probability:.6f}"
        tokens = "" if found is None else str(found.tokens)
        texts = [clean_line(text) for text in (source, target)]
        lines.append("\t".join([clean_line(where), value, tokens, *texts]))
    write_text(output, "\n".join(lines) + "\n")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
