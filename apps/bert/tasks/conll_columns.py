"""The columns of a CoNLL file: how they are parted, and which hold the words and the tags."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.bert.tasks.columns import Columns
from shared.common.errors import KerasuiteError

DOCUMENT = "-DOCSTART-"
OUTSIDE = "O"
SPAN_TAG = re.compile(r"[BIESLUMW]-\S+")
COMMENT = re.compile(r"# ?\S+ ?=|# id")
# CoNLL-U: number, form, lemma, universal part of speech, and six more.
CONLL_U_WIDTH, CONLL_U_TAG = 10, 3
# Rows of CoNLL-U for a word that is several ("2-3") and for an elided one ("8.1").
_NO_WORD = re.compile(r"\d+[-.]\d+")
_SNIFFED_ROWS = 200


@dataclasses.dataclass(frozen=True)
class ConllColumns:
    """The columns of a file, counted from 0.

    Attributes:
        tabs: bool. Whether columns are parted by tabs, else by spaces.
        width: number of columns of most rows.
        word, tag: the columns that are read; -1 for the last one.
        indexed: bool. Whether the first column counts the words of each sentence.
    """

    tabs: bool
    width: int
    word: int = 0
    tag: int = -1
    indexed: bool = False

    def split(self, line: str) -> list[str]:
        """The columns of a line."""
        return split_columns(line, self.tabs)

    def is_comment(self, line: str) -> bool:
        """Whether a line in front of a sentence is none of its words: "# O" may be one."""
        if not line.startswith("#"):
            return False
        if self.indexed or COMMENT.match(line) or ("\t" in line and not self.tabs):
            return True
        return len(self.split(line)) != self.width

    def is_no_word(self, columns: Sequence[str]) -> bool:
        """Whether a row of CoNLL-U is no word of its own."""
        return self.indexed and bool(_NO_WORD.fullmatch(columns[0]))


def split_columns(line: str, tabs: bool) -> list[str]:
    """The columns of a line; not by `split()`, as words may contain no-break spaces."""
    return line.strip("\t ").split("\t") if tabs else re.split(" +", line.strip(" \t"))


def find_conll_columns(
    path: Path, lines: Sequence[str], named: Columns, labelled: bool
) -> tuple[ConllColumns, tuple[str, ...]]:
    """The columns of a file, and notes about what was recognised.

    Rows of words decide; comments and -DOCSTART- do not. The word is in the first column, or in
    the second behind one that counts the words; the tag is in the last column, in CoNLL-U in the
    fourth, and in the first of several with tags of spans where the words are counted (GermEval).

    Args:
        path: the file, for messages.
        lines: its lines.
        named: numbers of the columns, from 1, that the user named.
        labelled: bool. Whether there must be a tag.

    Raises:
        KerasuiteError: if a named column does not exist.
    """
    texts = [line for line in lines if _may_be_row(line)]
    sniffed = texts[:_SNIFFED_ROWS]
    tabs = 2 * sum("\t" in line for line in sniffed) > len(sniffed)
    widths = Counter(len(split_columns(line, tabs)) for line in sniffed)
    found = ConllColumns(tabs, max(widths, key=widths.get, default=1))
    notes: tuple[str, ...] = ()
    if found.width > 1 + labelled and _counts_words(lines, found):
        found = dataclasses.replace(
            found, indexed=True, word=1, tag=_tag_behind_index(lines, found)
        )
        skipped = sum(found.is_no_word(found.split(line)) for line in texts)
        notes = (_index_note(path, found, skipped),)
    chosen = {
        name: _named(path, option, number, found.width)
        for name, option, number in (("word", "text", named.text), ("tag", "label", named.label))
        if number
    }
    return dataclasses.replace(found, **chosen), () if len(chosen) == 2 else notes


def _may_be_row(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(DOCUMENT) and not COMMENT.match(line)


def _counts_words(lines: Sequence[str], columns: ConllColumns) -> bool:
    """Whether the first column is 1, 2, 3 ... in nearly all sentences, one of them with more."""
    right = wrong = longest = 0
    for sentence in _sentences(lines, columns):
        numbers = [row[0] for row in sentence if not _NO_WORD.fullmatch(row[0])]
        counted = numbers == [str(number) for number in range(1, len(numbers) + 1)]
        right, wrong = right + counted, wrong + (not counted)
        longest = max(longest, len(numbers) if counted else 0)
    return longest > 1 and right > 9 * wrong


def _sentences(lines: Sequence[str], columns: ConllColumns) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in [*lines, ""]:
        if line.strip():
            if not line.startswith((DOCUMENT, "#")):
                rows.append(columns.split(line))
        elif rows:
            yield rows
            rows = []


def _tag_behind_index(lines: Sequence[str], columns: ConllColumns) -> int:
    if columns.width == CONLL_U_WIDTH:
        return CONLL_U_TAG
    rows = [row for rows in _sentences(lines, columns) for row in rows]
    rows = [row for row in rows if len(row) == columns.width]
    for column in range(2, columns.width):
        tags = {row[column] for row in rows}
        if all(tag == OUTSIDE or SPAN_TAG.fullmatch(tag) for tag in tags) and len(tags) > 1:
            return column
    return columns.width - 1


def _index_note(path: Path, columns: ConllColumns, skipped: int) -> str:
    note = (
        f"{path}: the first column counts the words; column {columns.word + 1} is read as words, "
        f"column {columns.tag + 1} as tags (--text-column and --label-column choose others)"
    )
    if skipped:
        note += f"; {skipped:,} rows of several words or of none (such as 2-3 or 8.1) are left out"
    return note


def _named(path: Path, option: str, number: str, width: int) -> int:
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= width):
        raise KerasuiteError(
            f"{path}: no column '{number}' (--{option}-column); columns of CoNLL have numbers, "
            f"here 1 to {width}"
        )
    return int(number) - 1
