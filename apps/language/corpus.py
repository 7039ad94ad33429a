"""Raw files as documents of running text, which can be read repeatedly in constant memory."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.text.text_files import SUFFIXES, open_texts, pieces_of

# The name of empty lines as separators.
BLANK = "blank"


class Piece(NamedTuple):
    """A part of a document.

    Attributes:
        text: str. It ends with a line end, or between two words of a long line.
        ends_document: bool. Whether this is the document's last piece.
    """

    text: str
    ends_document: bool = False


class Corpus:
    """The documents of files and folders, piece by piece.

    A file is one document, or several with lines between them that separate documents and belong
    to none. Line ends become LF. Documents without any text are left out.

    Args:
        data: files, folders (recursive: .txt .text .tokens .cor, .gz and .zip of such) or globs.
        separator: str. The line between documents, "blank" for an empty line, or "" for none.

    Attributes:
        invalid_bytes: Counter of file name to the number of bytes that are not UTF-8 or zero, in
            the files that the last iteration has read; each was replaced by U+FFFD.
        files: int. Files that the last iteration has read.

    Raises:
        KerasuiteError: if a path is missing, holds no text or cannot be read; while iterating,
            if a file is damaged or no text.
    """

    def __init__(self, data: Sequence[str | os.PathLike], separator: str = ""):
        if "-" in map(str, data):
            raise KerasuiteError(
                "DATA -: the text is read several times, which standard input cannot be; "
                "save it to a file"
            )
        self.data = " ".join(map(os.fspath, data))
        self._sources = find_inputs(data, SUFFIXES)
        self._separator = _pattern(separator) if separator else None
        self.invalid_bytes: Counter[str] = Counter()
        self.files = 0

    def __iter__(self) -> Iterator[Piece]:
        self.invalid_bytes, self.files = Counter(), 0
        for source in self._sources:
            for name, stream in open_texts(str(source.path)):
                self.files += 1
                pieces = pieces_of(name, stream, " \t", self.invalid_bytes)
                yield from _with_ends(self._parts(pieces))

    def _parts(self, pieces: Iterator[str]) -> Iterator[str | None]:
        """Text, and None where a document ends."""
        at_line_start = True
        for piece in pieces:
            text = piece.replace("\r\n", "\n")
            if self._separator is None:
                yield text
                continue
            if not at_line_start:
                # The rest of a line is no line of its own.
                head, end, text = text.partition("\n")
                yield head + end
            first, *others = self._separator.split(text)
            yield first
            for other in others:
                yield None
                yield other
            at_line_start = piece.endswith("\n")
        yield None


def _pattern(separator: str) -> re.Pattern:
    """Lines that separate documents, with their ends."""
    if separator == BLANK:
        return re.compile(r"^[ \t]*\n", re.MULTILINE)
    return re.compile(rf"^[ \t]*{re.escape(separator.strip())}[ \t]*(?:\n|\Z)", re.MULTILINE)


def _with_ends(parts: Iterator[str | None]) -> Iterator[Piece]:
    """Pieces of the documents that have some text."""
    waiting = ""
    for part in parts:
        if part is None:
            if waiting:
                yield Piece(waiting, True)
            waiting = ""
        elif part:
            if waiting:
                yield Piece(waiting)
            waiting = part


def cut_at(corpus: Corpus, border: int) -> tuple[Iterator[Piece], Iterator[Piece]]:
    """The text before and behind a border, which is moved to the next line end of its piece.

    Args:
        corpus: read twice, once for each part.
        border: int. Characters before the border.
    """
    return _before(corpus, border), _behind(corpus, border)


def _before(corpus: Corpus, border: int) -> Iterator[Piece]:
    left = border
    for piece in corpus:
        if left <= 0:
            return
        if len(piece.text) > left:
            yield Piece(piece.text[: _line_end(piece.text, left)])
        else:
            yield piece
        left -= len(piece.text)


def _behind(corpus: Corpus, border: int) -> Iterator[Piece]:
    left = border
    for piece in corpus:
        if left <= 0:
            yield piece
        elif len(piece.text) > left:
            yield Piece(piece.text[_line_end(piece.text, left) :], piece.ends_document)
        left -= len(piece.text)


def _line_end(text: str, position: int) -> int:
    """Where the line before `position` ends, unless it is the last one of the text."""
    end = text.find("\n", position - 1) + 1
    return end if 0 < end < len(text) else position
