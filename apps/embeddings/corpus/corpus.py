"""Raw files as a stream of documents, which can be read repeatedly in constant memory."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from apps.embeddings.corpus.words import Splitter, word_splitter
from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.text.language_codes import main_language
from shared.text.text_files import SUFFIXES, open_texts, pieces_of

DOCUMENTS = ("line", "running")

WORDS_PER_DOCUMENT = 10_000
CHINESE_BREAKS = "。！？；，、"


class Corpus(Iterable[list[str]]):
    """Documents of files and folders, each a list of words.

    Every iteration reads the files anew. A document has at most 10,000 words; a longer
    one becomes several, cut between words. Documents without words are left out.

    Args:
        data: files, folders (recursive: .txt .text .tokens .cor, .gz and .zip of such) or globs.
        language: str. See `word_splitter`.
        document: str. "line": every line is a document; "running": a file is one running text.
        pattern: str. See `word_splitter`.

    Attributes:
        invalid_bytes: Counter of file name to the number of bytes that are not UTF-8 or zero, in
            the files that the last iteration has read; each was replaced by U+FFFD.

    Raises:
        KerasuiteError: if a path is missing, holds no text or cannot be read; while iterating,
            if no file holds a word.
    """

    def __init__(
        self,
        data: Sequence[str | os.PathLike],
        language: str = "en",
        document: str = "line",
        pattern: str = "words",
    ):
        if document not in DOCUMENTS:
            raise KerasuiteError(f"--document {document}: unknown; one of {', '.join(DOCUMENTS)}")
        if "-" in map(str, data):
            raise KerasuiteError(
                "DATA -: the text is read several times, which standard input cannot be; "
                "save it to a file"
            )
        self._sources = find_inputs(data, SUFFIXES)
        self._data = [os.fspath(item) for item in data]
        self._split = word_splitter(language, pattern)
        self._running = document == "running"
        self._breaks = " \t\r\n"
        if main_language(language) == "zh" and pattern == "words":
            self._breaks += CHINESE_BREAKS
        self.invalid_bytes: Counter[str] = Counter()

    def __iter__(self) -> Iterator[list[str]]:
        self.invalid_bytes = Counter()
        found = False
        for source in self._sources:
            for name, stream in open_texts(str(source.path)):
                pieces = pieces_of(name, stream, self._breaks, self.invalid_bytes)
                documents = _running if self._running else _lines
                for words in documents(pieces, self._split):
                    found = True
                    yield words
        if not found:
            raise KerasuiteError(
                f"{' '.join(self._data)}: no words in it; give files with text and check --language"
            )


def _lines(pieces: Iterable[str], split: Splitter) -> Iterator[list[str]]:
    for piece in pieces:
        for line in piece.split("\n"):
            words = split(line)
            for begin in range(0, len(words), WORDS_PER_DOCUMENT):
                yield words[begin : begin + WORDS_PER_DOCUMENT]


def _running(pieces: Iterable[str], split: Splitter) -> Iterator[list[str]]:
    words: list[str] = []
    for piece in pieces:
        words += split(piece)
        whole = len(words) - len(words) % WORDS_PER_DOCUMENT
        for begin in range(0, whole, WORDS_PER_DOCUMENT):
            yield words[begin : begin + WORDS_PER_DOCUMENT]
        del words[:whole]
    if words:
        yield words
