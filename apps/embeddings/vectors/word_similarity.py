"""Word similarity: do the vectors order pairs of words as people do?"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gensim.test.utils import datapath
from scipy.stats import spearmanr

from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


@dataclass(frozen=True)
class SimilarityScore:
    """How well a set of pairs is matched.

    Attributes:
        spearman: rank correlation with the human scores; NaN with less than two pairs.
        pairs: pairs of which both words are known; the others do not count.
        all_pairs: all pairs of the set.
    """

    spearman: float
    pairs: int
    all_pairs: int


def standard_files() -> dict[str, Path]:
    """The sets that gensim carries, by name."""
    return {
        "wordsim353": Path(datapath("wordsim353.tsv")),
        "simlex999": Path(datapath("simlex999.txt")),
    }


def evaluate(
    vectors: WordVectors, path: str | os.PathLike, restrict_vocab: int = 300_000
) -> SimilarityScore:
    """Spearman's rank correlation of cosine similarities with human scores.

    Equal to gensim's `evaluate_word_pairs` with its defaults: upper and lower case are one,
    the most frequent spelling gives the vector, pairs with unknown words are left out.

    Args:
        vectors: most frequent words first.
        path: `word<TAB>word<TAB>score` a line; `#` begins a comment, and the first line may be
            titles.
        restrict_vocab: int. Only so many words are known.

    Raises:
        KerasuiteError: if the file is malformed.
    """
    pairs = read_pairs(path)
    ids: dict[str, int] = {}
    for index, word in enumerate(vectors.words[:restrict_vocab]):
        ids.setdefault(word.upper(), index)
    known = [(ids[a], ids[b], score) for a, b, score in pairs if a in ids and b in ids]
    if len(known) < 2:
        return SimilarityScore(float("nan"), len(known), len(pairs))
    first, second, human = map(np.array, zip(*known, strict=True))
    unit = vectors.unit()
    cosines = np.einsum("nd,nd->n", unit[first], unit[second])
    return SimilarityScore(float(spearmanr(human, cosines)[0]), len(known), len(pairs))


def read_pairs(path: str | os.PathLike) -> list[tuple[str, str, float]]:
    """Reads (upper-case word, upper-case word, human score) of each line.

    Raises:
        KerasuiteError: if the file cannot be read, is empty, or a line is malformed.
    """
    pairs: list[tuple[str, str, float]] = []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for row, line in enumerate(file, start=1):
                fields = line.rstrip("\n").upper().split("\t")
                score = _score(fields)
                if score is not None:
                    pairs.append((fields[0], fields[1], score))
                elif line.strip() and not line.startswith("#") and row > 1:
                    raise KerasuiteError(
                        f"{path}, row {row}: expected word<TAB>word<TAB>score; "
                        f"correct or remove the row"
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise KerasuiteError(f"{path}: cannot be read ({error}); give another file") from error
    if not pairs:
        raise KerasuiteError(
            f"{path}: holds no pairs; expected word<TAB>word<TAB>score on every line"
        )
    return pairs


def _score(fields: list[str]) -> float | None:
    """The finite number in the third of three fields, or None."""
    if len(fields) != 3 or fields[0].startswith("#"):
        return None
    try:
        score = float(fields[2])
    except ValueError:
        return None
    return score if np.isfinite(score) else None
