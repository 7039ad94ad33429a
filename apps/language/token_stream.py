"""A text as one row of token ids, and how much text that is.

The row begins with `END`, and `END` stands behind each document: it is what a model reads before
the first token of a document, and what it predicts at the end of one.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from apps.language.corpus import Piece
from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.files import atomic_path
from shared.text.special_tokens import END, UNK
from shared.text.string_tensors import as_strings
from shared.text.token_file import TOKEN
from shared.text.unicode_classes import white_space

# Characters that are tokenised together.
CHUNK = 1 << 18
WHITE_SPACE = white_space()


@dataclasses.dataclass
class TextSize:
    """How much text a row of tokens is.

    Attributes:
        tokens: int. Tokens to predict: all but the first, which is the beginning.
        unknown: int. Tokens that stand for something that the vocabulary has not.
        documents, characters, bytes, words: int. Of the text; words are what white space separates.
    """

    tokens: int = 0
    unknown: int = 0
    documents: int = 0
    characters: int = 0
    bytes: int = 0
    words: int = 0

    def add(self, piece: Piece) -> None:
        """Counts a piece of the text."""
        self.documents += piece.ends_document
        self.characters += len(piece.text)
        self.bytes += len(piece.text.encode("utf-8", "replace"))
        self.words += len(piece.text.split())


def encode(pieces: Iterable[Piece], tokenizer: Tokenizer, size: TextSize) -> Iterator[np.ndarray]:
    """Yields the row of tokens of a text in parts, int32 (n,) each.

    Args:
        pieces: the text.
        tokenizer: of the model.
        size: is filled with the size of the text.
    """
    yield np.array([END], TOKEN)
    for chunk in _chunks(_before_white_space(pieces)):
        for piece in chunk:
            size.add(piece)
        tokens = tokenizer(as_strings(piece.text for piece in chunk))
        parts = np.split(tokens.flat_values.numpy(), tokens.row_splits.numpy()[1:-1])
        ended = ([part, [END]] if piece.ends_document else [part]
                 for part, piece in zip(parts, chunk, strict=True))  # fmt: skip
        row = np.concatenate([part for pair in ended for part in pair]).astype(TOKEN)
        size.tokens += len(row)
        size.unknown += int((row == UNK).sum())
        yield row


def _before_white_space(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same text in pieces that end before white space: a token may stand for all of it."""
    waiting = ""
    for piece in pieces:
        text = waiting + piece.text
        kept = len(text) if piece.ends_document else len(text.rstrip(WHITE_SPACE))
        waiting = text[kept:]
        if kept:
            yield Piece(text[:kept], piece.ends_document)
    if waiting:
        yield Piece(waiting)


def _chunks(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    chunk: list[Piece] = []
    for piece in pieces:
        chunk.append(piece)
        if sum(len(each.text) for each in chunk) >= CHUNK or len(chunk) == 1024:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def write_tokens(pieces: Iterable[Piece], tokenizer: Tokenizer, path: Path) -> TextSize:
    """Writes the row of tokens of a text, atomically, and returns its size.

    Args:
        pieces: the text.
        tokenizer: of the model.
        path: file of little-endian int32.
    """
    size = TextSize()
    with atomic_path(path) as temporary, open(temporary, "wb") as out:
        for row in encode(pieces, tokenizer, size):
            out.write(row.tobytes())
    return size
