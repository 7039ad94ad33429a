"""Word similarity: rank correlation of cosine similarities with human judgements."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


@dataclass(frozen=True)
class SimilarityScore:
    """Agreement with a set of word pairs.

    Attributes:
        spearman: float. Rank correlation with the human scores; NaN with less than two pairs.
        pairs: int. Pairs of which both words are known; the others do not count.
        all_pairs: int. All pairs of the set.
    """

    spearman: float
    pairs: int
    all_pairs: int


def standard_files() -> dict[str, Path]:
    """Paths of the sets that gensim includes, by name."""
    return {
        "wordsim353": Path(datapath("wordsim353.tsv")),
        "simlex999": Path(datapath("simlex999.txt")),
    }


def evaluate(
    vectors: WordVectors, path: str | os.PathLike, restrict_vocab: int = 300_000
) -> SimilarityScore:
    """Computes Spearman's rank correlation of cosine similarities with human scores.

    This is gensim's `evaluate_word_pairs`: upper and lower case are one, the most frequent
    spelling gives the vector, pairs with unknown words are left out.

    Args:
        vectors: most frequent words first.
        path: file of `word<TAB>word<TAB>score` lines; `#` begins a comment, and the first line may
            be titles.
        restrict_vocab: int. Number of most frequent words that are known.

    Raises:
        KerasuiteError: if the file is malformed.
    """
    pairs = read_pairs(path)
    known = {word.upper() for word in vectors.words[:restrict_vocab]}
    covered = sum(first in known and second in known for first, second, _ in pairs)
    if covered < 2:
        return SimilarityScore(float("nan"), covered, len(pairs))
    _, spearman, _ = _keyed_vectors(vectors).evaluate_word_pairs(
        os.fspath(path), encoding="utf-8-sig", restrict_vocab=restrict_vocab
    )
    return SimilarityScore(float(spearman[0]), covered, len(pairs))


def _keyed_vectors(vectors: WordVectors) -> KeyedVectors:
    """The same vectors in gensim's class, which `add_vectors` would copy."""
    keyed = KeyedVectors(vectors.dim)
    keyed.index_to_key, keyed.key_to_index = vectors.words, vectors.ids
    keyed.vectors = vectors.vectors
    return keyed


def read_pairs(path: str | os.PathLike) -> list[tuple[str, str, float]]:
    """Reads (upper-case word, upper-case word, human score) of each line.

    Raises:
        KerasuiteError: if the file cannot be read, is empty, or a line is malformed.
    """
    pairs: list[tuple[str, str, float]] = []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for row, line in enumerate(file, start=1):
                if line.startswith("#") or not line.strip():
                    continue
                fields = line.rstrip("\n").upper().split("\t")
                score = _number(fields[2]) if len(fields) == 3 else None
                if row == 1 and score is None:
                    continue
                if score is None or not math.isfinite(score):
                    raise KerasuiteError(
                        f"{path}, row {row}: expected word<TAB>word<TAB>score; "
                        f"correct or remove the row"
                    )
                pairs.append((fields[0], fields[1], score))
    except (OSError, UnicodeDecodeError) as error:
        raise KerasuiteError(f"{path}: cannot be read ({error}); give another file") from error
    if not pairs:
        raise KerasuiteError(
            f"{path}: holds no pairs; expected word<TAB>word<TAB>score on every line"
        )
    return pairs


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
