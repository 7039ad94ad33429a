"""The words to train with their counts, and the two distributions derived from them."""

import heapq
import os
from collections import Counter
from collections.abc import Iterable

import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path

# Different words that are counted at the same time: about half a gigabyte.
MAX_TABLE = 4_000_000


class Vocabulary:
    """Words in order of falling count; a word's id is its index.

    Args:
        words: list of V str, each once and without white space.
        counts: int (V,). Occurrences of each word.
        dropped_words: int. Occurrences in the corpus of words that are not in the vocabulary.
    """

    def __init__(self, words: list[str], counts: np.ndarray, *, dropped_words: int = 0):
        self.words = list(words)
        self.counts = np.asarray(counts, np.int64)
        self.dropped_words = dropped_words
        self.ids = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def keep_probabilities(self, subsample: float) -> np.ndarray:
        """Probability of keeping an occurrence of each word in subsampling.

        The formula of the word2vec program, sqrt(t / f) + t / f for a word with the share f
        of the corpus, which differs slightly from the one in the paper.

        Args:
            subsample: float. Threshold t; 0 keeps all occurrences.

        Returns:
            float32 (V,), at most 1.

        Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1310.4546), section 2.3
        """
        if not subsample:
            return np.ones(len(self), np.float32)
        ratio = subsample * self.counts.sum() / self.counts
        return np.minimum(np.sqrt(ratio) + ratio, 1).astype(np.float32)

    def noise_distribution(self, power: float = 0.75) -> np.ndarray:
        """Distribution of the noise words of negative sampling.

        Args:
            power: float. 1 is the distribution of the words, 0 the uniform one.

        Returns:
            float64 (V,) that sums to 1.

        Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1310.4546), section 2.2
        """
        weights = self.counts.astype(np.float64) ** power
        return weights / weights.sum()

    def save(self, path: str | os.PathLike) -> None:
        """Writes UTF-8 text, `word count` a line."""
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
            for word, count in zip(self.words, self.counts.tolist(), strict=True):
                out.write(f"{word} {count}\n")

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Vocabulary":
        """Reads what `save` wrote.

        Raises:
            KerasuiteError: if a line is no word and count, or a word occurs twice.
        """
        counts: dict[str, int] = {}
        with open(path, encoding="utf-8", newline="\n") as file:
            for row, line in enumerate(file, start=1):
                word, _, count = line.rstrip("\n").rpartition(" ")
                if not word or not count.isdecimal() or word in counts:
                    raise KerasuiteError(
                        f"{path}, row {row}: expected a word not named before, a space and its "
                        f"count; correct the row or start the training again"
                    )
                counts[word] = int(count)
        return cls(list(counts), np.fromiter(counts.values(), np.int64, len(counts)))


def build_vocabulary(
    documents: Iterable[list[str]],
    min_count: int = 5,
    max_vocab: int = 0,
    max_table: int = MAX_TABLE,
) -> Vocabulary:
    """Counts the words of a corpus in bounded memory and keeps the frequent ones.

    When the table of counts grows past `max_table`, the rarest words are removed from it, as
    the word2vec program does; a word that comes back later starts from zero.

    Args:
        documents: the corpus, read once.
        min_count: int. Words with fewer occurrences are dropped.
        max_vocab: int. Largest number of words, the most frequent ones; 0 is no limit.
        max_table: int. Largest number of different words to count at the same time.

    Returns:
        The vocabulary; words with equal counts are in order of first occurrence.

    Raises:
        KerasuiteError: if fewer than two words are left.
    """
    table: Counter[str] = Counter()
    total = rare = 0
    for words in documents:
        table.update(words)
        total += len(words)
        while len(table) > max_table:
            rare += 1
            table = Counter({word: count for word, count in table.items() if count > rare})
    kept = _most_frequent(table, min_count, max_vocab)
    _check_size(kept, table, total, min_count, max_vocab)
    counts = np.array([count for _, count in kept], np.int64)
    dropped = total - int(counts.sum())
    return Vocabulary([word for word, _ in kept], counts, dropped_words=dropped)


def _most_frequent(table: Counter, min_count: int, max_vocab: int) -> list[tuple[str, int]]:
    frequent = [item for item in table.items() if item[1] >= min_count]
    if max_vocab and max_vocab < len(frequent):
        return heapq.nsmallest(max_vocab, frequent, key=_falling_count)
    return sorted(frequent, key=_falling_count)


def _falling_count(item: tuple[str, int]) -> int:
    return -item[1]


def _check_size(kept: list, table: Counter, total: int, min_count: int, max_vocab: int) -> None:
    """Training needs at least two words: one and a noise word that differs from it."""
    if len(kept) >= 2:
        return
    if not total:
        raise KerasuiteError("the corpus holds no words; name files with text")
    if max_vocab == 1 or len(table) == 1:
        only = next(iter(table))
        mend = "give more text" if len(table) == 1 else f"raise --max-vocab {max_vocab}"
        raise KerasuiteError(
            f"only one word, '{only}', is left of {total:,}; vectors need at least two: {mend}"
        )
    word, highest = max(table.items(), key=lambda item: item[1], default=("", 0))
    left = f"only '{word}' occurs" if kept else "none of them occurs"
    raise KerasuiteError(
        f"the corpus has {total:,} words, {len(table):,} of them different, and {left} at least "
        f"{min_count} times (the highest count is {highest}); lower --min-count or give more text"
    )
