"""The corpus as word ids in one file, which training maps into memory."""

import os
from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np

from apps.embeddings.corpus.vocabulary import Vocabulary
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.text.token_file import TOKEN, open_tokens

BOUNDARY = -1


class EncodedCorpus:
    """Word ids of all documents in a row, with -1 between documents.

    Words outside the vocabulary are left out, so that the words around them become
    neighbours, as in the word2vec program.

    Args:
        tokens: int32 (N,). Ids and boundaries, usually mapped from a file.
    """

    def __init__(self, tokens: np.ndarray):
        self.tokens = tokens

    @classmethod
    def open(cls, path: str | os.PathLike) -> "EncodedCorpus":
        """Maps a file that `encode` wrote.

        Raises:
            KerasuiteError: if the file is missing or is no such file.
        """
        return cls(open_tokens(path))

    def sample(self, size: int = 1_000_000, parts: int = 100) -> Iterator[np.ndarray]:
        """Yields parts from all over the corpus: int32 (n,) with boundaries, up to `size` together.

        A document that a part cuts is one by itself.
        """
        length = max(size // parts, 1)
        count = min(parts, -(-len(self.tokens) // length))
        for begin in np.linspace(0, max(len(self.tokens) - length, 0), count).astype(np.int64):
            yield np.array(self.tokens[begin : begin + length])


def encode(
    documents: Iterable[list[str]], vocabulary: Vocabulary, path: str | os.PathLike
) -> EncodedCorpus:
    """Writes a corpus as word ids; documents without a known word are left out.

    Args:
        documents: the corpus, read once.
        vocabulary: words and their ids.
        path: file of little-endian int32, written atomically.

    Returns:
        The corpus, mapped from the file.

    Raises:
        KerasuiteError: if no word of the corpus is in the vocabulary.
    """
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        boundary = b""
        for words in documents:
            ids = encode_words(words, vocabulary)
            if len(ids):
                out.write(boundary + ids.tobytes())
                boundary = TOKEN.type(BOUNDARY).tobytes()
        if not out.tell():
            raise KerasuiteError(
                f"{path}: not written, because none of the {len(vocabulary):,} words of the "
                f"vocabulary occurs in the corpus; check the data and --language"
            )
    return EncodedCorpus.open(path)


def encode_words(words: list[str], vocabulary: Vocabulary) -> np.ndarray:
    """Ids of the known words: int32 (n,)."""
    ids = np.fromiter(map(vocabulary.ids.get, words, repeat(BOUNDARY)), TOKEN, len(words))
    return ids[ids != BOUNDARY]
