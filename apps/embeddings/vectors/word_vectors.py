"""Words with their vectors: neighbours, analogies, and helpful errors for unknown words."""

import difflib
import functools

import numpy as np

from shared.common.errors import KerasuiteError

ANALOGY_METHODS = ("3cosadd", "3cosmul")
# Words that are compared with the spelling of an unknown one.
SPELLINGS = 20_000


class WordVectors:
    """A vector for each word, most frequent words first.

    Args:
        words: list of V different str.
        vectors: float array (V, D).

    Raises:
        ValueError: if there are not as many vectors as words.
    """

    def __init__(self, words: list[str], vectors: np.ndarray):
        self.words = list(words)
        self.vectors = np.ascontiguousarray(vectors, np.float32)
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors):
            raise ValueError(f"{len(self.words)} words and vectors of shape {self.vectors.shape}")
        self.ids = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def index(self, word: str) -> int:
        """The row of a word.

        Raises:
            KerasuiteError: if the word is unknown; names words that are spelt alike.
        """
        if word not in self.ids:
            close = self.close_words(word)
            hint = f"; close: {', '.join(close)}" if close else ""
            raise KerasuiteError(f"'{word}' is not among the {len(self):,} words{hint}")
        return self.ids[word]

    def close_words(self, word: str, count: int = 3) -> list[str]:
        """Known words that are spelt like an unknown one, in other case first."""
        cases = [other for other in (word.lower(), word.title(), word.upper()) if other in self.ids]
        alike = [
            other for other in self.words if other[:1] == word[:1] and _similar_length(word, other)
        ]
        spelt = difflib.get_close_matches(word, alike[:SPELLINGS], count)
        return list(dict.fromkeys(cases + spelt))[:count]

    def unit(self) -> np.ndarray:
        """The vectors with length 1, float32 (V, D); vectors of zeros stay so."""
        return self._unit

    @functools.cached_property
    def _unit(self) -> np.ndarray:
        return normalized(self.vectors)

    def neighbors(self, word: str, k: int = 10) -> list[tuple[str, float]]:
        """The k words with the highest cosine similarity to a word, without itself."""
        return self.nearest(self.unit_vector(word), k, exclude=self._known([word]))

    def unit_vector(self, word: str) -> np.ndarray:
        """The vector of a word with length 1, (D,).

        Raises:
            KerasuiteError: if the word is unknown.
        """
        return self.unit()[self.index(word)]

    def _known(self, words: list[str]) -> list[int]:
        """The rows of those words that have one."""
        return [self.ids[word] for word in words if word in self.ids]

    def nearest(
        self, vector: np.ndarray, k: int = 10, exclude: list[int] | None = None
    ) -> list[tuple[str, float]]:
        """Finds the k words with the highest cosine similarity to a vector, best first.

        Args:
            vector: float (D,).
            k: int. Number of words.
            exclude: list of int. Rows that are no answer.

        Returns:
            List of (word, cosine).
        """
        return self._best(self.unit() @ normalized(vector), k, exclude or [])

    def analogy(
        self, a: str, b: str, c: str, k: int = 10, method: str = "3cosadd"
    ) -> list[tuple[str, float]]:
        """Finds words d for which a is to b as c is to d; the given words are no answers.

        Args:
            a: str. A known word.
            b: str. A known word.
            c: str. A known word.
            k: int. Number of answers.
            method: str. "3cosadd" ranks by the cosine with b - a + c, each of length 1; "3cosmul"
                by cos(d, b) * cos(d, c) / cos(d, a), with cosines shifted to 0..1.

        Returns:
            (word, score), best first.

        Raises:
            KerasuiteError: if a word or the method is unknown.

        Reference: [Levy and Goldberg, 2014](https://aclanthology.org/W14-1618/)
        """
        if method not in ANALOGY_METHODS:
            raise KerasuiteError(f"'{method}': unknown method; one of {', '.join(ANALOGY_METHODS)}")
        rows = np.stack([self.unit_vector(word) for word in (a, b, c)])
        given = self._known([a, b, c])
        if method == "3cosadd":
            return self.nearest(rows[1] - rows[0] + rows[2], k, exclude=given)
        return self._best(three_cos_mul(*(rows @ self.unit().T)), k, given)

    def _best(self, scores: np.ndarray, k: int, exclude: list[int]) -> list[tuple[str, float]]:
        scores = scores.copy()
        scores[exclude] = -np.inf
        k = min(k, len(scores) - len(set(exclude)))
        if k <= 0:
            return []
        best = np.argpartition(scores, -k)[-k:]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(self.words[index], float(scores[index])) for index in best]


def normalized(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., D) with length 1; vectors of zeros stay so."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths == 0, 1, lengths)


def three_cos_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """b - a + c of cosines with the three given words, any equal shapes."""
    return b - a + c


def three_cos_mul(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """b * c / a of cosines with the three given words, shifted from -1..1 to 0..1."""
    return ((1 + b) / 2) * ((1 + c) / 2) / ((1 + a) / 2 + 1e-6)


def _similar_length(word: str, other: str) -> bool:
    return abs(len(word) - len(other)) <= 2
