"""The English corpus that the word-embedding benchmarks train on, from the real data sets."""

import gzip
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.common.files import atomic_path

NUM_WORDS = 11_676_723
WORDS_PER_LINE = 1_000

NOVELS = "english_novels/english_novels.zip"
FILES = (
    "wikitext-2/wiki.train.tokens.gz",
    "text8_part/text8_part.txt.gz",
    "reuters21578_text/reuters21578.txt.gz",
    "world_factbook_text/world_factbook.txt.gz",
)


def write_english_corpus(data_folder: Path, path: Path) -> int:
    """Writes novels, WikiText-2, text8, Reuters and the World Factbook as one text file.

    Words are the runs of `[a-z]` of the lower-cased text, 1,000 a line; nothing else is kept.

    Args:
        data_folder: the folder with the data sets; see its README.md.
        path: the text file to write.

    Returns:
        The number of words, `NUM_WORDS` for the complete data sets.
    """
    count = 0
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii") as out:
        for line in _lines(_words(Path(data_folder))):
            out.write(" ".join(line) + "\n")
            count += len(line)
    return count


def _words(folder: Path) -> Iterator[list[str]]:
    for text in _texts(folder):
        yield re.findall("[a-z]+", text.lower())


def _texts(folder: Path) -> Iterator[str]:
    with zipfile.ZipFile(folder / NOVELS) as novels:
        for name in sorted(name for name in novels.namelist() if name.endswith(".txt")):
            yield novels.read(name).decode("utf-8")
    for name in FILES:
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            yield file.read()


def _lines(texts: Iterable[list[str]]) -> Iterator[list[str]]:
    """Cuts the words of all texts together into lines, which may cross the end of a text."""
    line: list[str] = []
    for words in texts:
        line += words
        whole = len(line) // WORDS_PER_LINE * WORDS_PER_LINE
        for begin in range(0, whole, WORDS_PER_LINE):
            yield line[begin : begin + WORDS_PER_LINE]
        line = line[whole:]
    if line:
        yield line
