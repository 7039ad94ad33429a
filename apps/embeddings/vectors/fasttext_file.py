"""Models of fastText (.bin): vectors of words and of the character n-grams that they consist of.

The layout is that of `FastText::saveModel`, `Dictionary::save` and `DenseMatrix::save`. gensim's
reader runs for ever on a file that is cut off in its words, and allocates what a header says.

Reference: [Bojanowski et al., 2017](https://arxiv.org/abs/1607.04606)
"""

import mmap
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gensim.models.fasttext import ft_ngram_hashes

from apps.embeddings.vectors.word_vectors import WordVectors, normalized
from shared.common.errors import KerasuiteError
from shared.common.files import open_file

MAGIC = struct.pack("<i", 793712314)
# Twelve numbers of the training, and the threshold of subsampling.
_HEADER = struct.Struct("<2i12id")
_DIM, _MODEL, _BUCKETS, _MIN_N, _MAX_N = 2, 9, 10, 11, 12
_DICTIONARY = struct.Struct("<3i2q")
_ENTRY = struct.Struct("<qb")
_MATRIX = struct.Struct("<?2q")
_SUPERVISED, _NO_SUBWORDS_VERSION = 3, 11
END_OF_SENTENCE = "</s>"


class SubwordVectors(WordVectors):
    """Word vectors that also know unknown words, by their character n-grams.

    Args:
        words: list of V different str.
        vectors: float array (V, D).
        ngrams: float array (B, D). The vectors of hashed n-grams.
        lengths: (shortest, longest) n-gram in characters, with the marks of both ends of a word.
    """

    def __init__(
        self, words: list[str], vectors: np.ndarray, ngrams: np.ndarray, lengths: tuple[int, int]
    ):
        super().__init__(words, vectors)
        self._ngrams, self._lengths = ngrams, lengths

    def unit_vector(self, word):
        if word in self.ids or not word:
            return super().unit_vector(word)
        vector = self.vector_of_ngrams(word)
        return normalized(vector) if vector.any() else super().unit_vector(word)

    def vector_of_ngrams(self, word: str) -> np.ndarray:
        """The mean of the n-grams of a word, zeros if it has none; (D,)."""
        hashes = ngram_hashes(word, self._lengths, len(self._ngrams))
        return self._ngrams[hashes].mean(axis=0) if hashes else np.zeros(self.dim, np.float32)


def ngram_hashes(word: str, lengths: tuple[int, int], buckets: int) -> list[int]:
    """The rows of the n-grams of a word."""
    return ft_ngram_hashes(word, *lengths, buckets) if buckets and lengths[1] else []


def read_fasttext(path: Path, file: BinaryIO) -> SubwordVectors:
    """Reads a model; the vector of a word is the mean of its own and of those of its n-grams.

    Args:
        path: its path.
        file: its content, unpacked, from its beginning.

    Raises:
        KerasuiteError: if it is damaged, or quantised.
    """
    with open_file(path) as plain:
        # Of several gigabytes, only the pages are read that are needed.
        data = mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ)
    if data[: len(MAGIC)] != MAGIC:  # It is packed.
        data = file.read()
    try:
        return _parsed(path, data)
    except (struct.error, ValueError, OverflowError) as error:
        raise KerasuiteError(
            f"{path}: is a damaged model of fastText ({error}); fetch it again"
        ) from error


def _parsed(path: Path, data: bytes | mmap.mmap) -> SubwordVectors:
    header = _HEADER.unpack_from(data)
    dim, buckets = header[_DIM], header[_BUCKETS]
    lengths = header[_MIN_N], header[_MAX_N]
    if header[1] == _NO_SUBWORDS_VERSION and header[_MODEL] == _SUPERVISED:
        lengths = lengths[0], 0
    words, position = _words(data, _HEADER.size)
    quantised, rows, columns = _MATRIX.unpack_from(data, position)
    if quantised:
        raise KerasuiteError(f"{path}: is a quantised model of fastText (.ftz); give its .bin")
    if columns != dim or dim < 1 or buckets < 0 or rows != len(words) + buckets:
        raise ValueError(f"{rows} vectors of {columns} numbers for {len(words)} words")
    position += _MATRIX.size
    if rows * columns * 4 > len(data) - position:
        raise ValueError("it ends within the vectors")
    matrix = np.frombuffer(data, "<f4", rows * columns, position).reshape(rows, columns)
    ngrams = matrix[len(words) :]
    vectors = np.empty((len(words), dim), np.float32)
    for index, word in enumerate(words):
        hashes = [] if word == END_OF_SENTENCE else ngram_hashes(word, lengths, len(ngrams))
        vectors[index] = (matrix[index] + ngrams[hashes].sum(axis=0)) / (1 + len(hashes))
    if not np.isfinite(vectors).all():
        raise ValueError("it has numbers that are not finite")
    return SubwordVectors(words, vectors, ngrams, lengths)


def _words(data: bytes | mmap.mmap, position: int) -> tuple[list[str], int]:
    """The words, without the labels behind them, and where the vectors begin."""
    size, num_words, _, _, pruned = _DICTIONARY.unpack_from(data, position)
    if not 0 <= num_words <= size:
        raise ValueError(f"{num_words} words among {size} entries")
    position += _DICTIONARY.size
    words = []
    for _ in range(size):
        end = data.find(b"\0", position)
        if end < 0:
            raise ValueError("it ends within the words")
        words.append(data[position:end].decode("utf-8", "backslashreplace"))
        _ENTRY.unpack_from(data, end + 1)
        position = end + 1 + _ENTRY.size
    return words[:num_words], position + 8 * max(pruned, 0)
