"""Word similarity: rank correlation of cosine similarities with human judgements."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from apps.embeddings.vectors.fasttext_file import SubwordVectors
from apps.embeddings.vectors.pair_scores import read_pairs
from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.messages import warn


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
    spelling gives the vector, pairs with unknown words are left out. Vectors of fastText know
    words by their n-grams too.

    Args:
        vectors: most frequent words first.
        path: file of `word<TAB>word<TAB>score` lines, or another layout; see `read_pairs`.
        restrict_vocab: int. Number of most frequent words that are known.

    Raises:
        KerasuiteError: if the file is malformed.
    """
    pairs = read_pairs(path)
    known = {word.upper() for word in vectors.words[:restrict_vocab]}
    if isinstance(vectors, SubwordVectors):
        vectors, restrict_vocab = _with_subwords(vectors, pairs, known, restrict_vocab, path)
        known.update(word.upper() for word in vectors.words)
    covered = sum(first in known and second in known for first, second, _ in pairs)
    if covered < 2:
        return SimilarityScore(float("nan"), covered, len(pairs))
    with tempfile.TemporaryDirectory() as folder:
        # gensim reads one layout only.
        rows = Path(folder) / "pairs.tsv"
        lines = [f"{first}\t{second}\t{score!r}\n" for first, second, score in pairs]
        rows.write_text("".join(lines), encoding="utf-8")
        _, spearman, _ = _keyed_vectors(vectors).evaluate_word_pairs(
            str(rows), restrict_vocab=restrict_vocab
        )
    return SimilarityScore(float(spearman[0]), covered, len(pairs))


def _with_subwords(
    vectors: SubwordVectors,
    pairs: list[tuple[str, str, float]],
    known: set[str],
    restrict_vocab: int,
    path: str | os.PathLike,
) -> tuple[WordVectors, int]:
    """The known words and those of the pairs that only have n-grams, and how many these are."""
    words = dict.fromkeys(word for pair in pairs for word in pair[:2] if word not in known)
    found = {word.lower(): vectors.vector_of_ngrams(word.lower()) for word in words}
    found = {word: vector for word, vector in found.items() if vector.any()}
    if not found:
        return vectors, restrict_vocab
    warn(f"{path}: {len(found):,} words are not in the vocabulary; their n-grams give the vectors")
    head = vectors.words[:restrict_vocab]
    rows = np.concatenate([vectors.vectors[: len(head)], np.stack(list(found.values()))])
    return WordVectors([*head, *found], rows), len(rows)


def _keyed_vectors(vectors: WordVectors) -> KeyedVectors:
    """The same vectors in gensim's class, which `add_vectors` would copy."""
    keyed = KeyedVectors(vectors.dim)
    keyed.index_to_key, keyed.key_to_index = vectors.words, vectors.ids
    keyed.vectors = vectors.vectors
    return keyed
