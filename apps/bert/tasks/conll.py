"""Tagged words in CoNLL's columns, and the tagging schemes of spans.

[Ramshaw and Marcus, 1995](https://arxiv.org/abs/cmp-lg/9505040) tag words as Inside or Outside of
a span, or as its Beginning, in IOB1 only where it follows another of its type; in IOB2 always.
IOBES also marks the End of a span and Single words. Everything is converted to IOB2.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll_columns import (
    COMMENT,
    DOCUMENT,
    OUTSIDE,
    SPAN_TAG,
    ConllColumns,
    find_conll_columns,
    split_columns,
)
from apps.bert.tasks.examples import TAGGING, Examples, TaggedSentence
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.text.line_files import split_lines
from shared.text.text_lines import read_lines

ENDINGS = (
    ".conll", ".conllu", ".conll2003", ".iob", ".iob2", ".bio", ".bioes", ".iobes", ".ner",
)  # fmt: skip
# CoNLL-2002 and 2003 name their held-out files so; those to train on may be anything's .train.
PARTS = (".testa", ".testb")
IOB1, IOB2, IOBES, PLAIN = "IOB1", "IOB2", "IOBES", "plain"
# BILOU and BMEWO use other letters for the same.
_LETTERS = {"B": "B", "I": "I", "E": "E", "S": "S", "L": "E", "U": "S", "M": "I", "W": "S"}
# Lines by which the format of a file is recognised.
_SNIFFED_LINES = 200


def read_conll(path: Path, labelled: bool = True, named: Columns = Columns()) -> Examples:
    """Reads sentences of one word a line, with an empty line after each sentence.

    The columns are those of `find_conll_columns`; without a name, the word is first and the tag
    last. `-DOCSTART-` lines and comments are skipped. Tags of spans are converted to IOB2; others
    (parts of speech) stay.

    Args:
        path: the file, also as .gz.
        labelled: bool. Whether every word needs a tag.
        named: columns that the user named, by their numbers from 1.

    Raises:
        KerasuiteError: if the file cannot be read, or lacks columns or tags that are needed.
    """
    text = read_lines(path)
    columns, notes = find_conll_columns(path, text.lines, named, labelled)
    sentences, problems = _sentences(path, text.lines, columns, labelled)
    if not sentences:
        first = f"; {problems[0]}" if problems else ""
        raise KerasuiteError(f"{path}: no tagged sentences in it{first}; give CoNLL columns")
    tags = [sentence.tags for sentence in sentences if sentence.tags]
    scheme = tag_scheme(tags)
    if scheme not in (IOB2, PLAIN):
        notes += (f"{path}: tags are {scheme}; converted to IOB2",)
    if scheme != PLAIN:
        kept = []
        for sentence in sentences:
            wrong = [tag for tag in sentence.tags if tag != OUTSIDE and not SPAN_TAG.fullmatch(tag)]
            if wrong:
                problems.append(f"{sentence.id}: tag '{wrong[0]}' among tags like B-X, I-X and O")
            else:
                kept.append(TaggedSentence(sentence.words, to_iob2(sentence.tags), sentence.id))
        sentences = kept
    return Examples(TAGGING, sentences, tuple(problems), notes, text.problems(path))


def tag_scheme(tags: Sequence[Sequence[str]]) -> str:
    """The scheme of the tags of sentences: IOB1, IOB2, IOBES, or none (plain)."""
    spans = [tag for row in tags for tag in row if tag != OUTSIDE]
    if not spans or sum(bool(SPAN_TAG.fullmatch(tag)) for tag in spans) < len(spans) / 2:
        return PLAIN
    if any(_LETTERS.get(tag[0]) in ("E", "S") for tag in spans if SPAN_TAG.fullmatch(tag)):
        return IOBES
    return IOB2 if all(tuple(row) == to_iob2(row) for row in tags) else IOB1


def to_iob2(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags of spans in any scheme, as IOB2.

    A span begins with B or S, after E, S or O, and where the type changes.

    >>> to_iob2(["I-PER", "I-PER", "B-PER", "O", "S-LOC", "B-ORG", "E-ORG", "I-ORG"])
    ('B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC', 'B-ORG', 'I-ORG', 'B-ORG')
    """
    converted, before = [], (OUTSIDE, "")
    for tag in tags:
        letter, _, span_type = tag.partition("-")
        letter = _LETTERS.get(letter, OUTSIDE)
        if letter == OUTSIDE:
            converted.append(tag)
        else:
            goes_on = letter in "IE" and before[0] in ("B", "I") and before[1] == span_type
            converted.append(f"{'I' if goes_on else 'B'}-{span_type}")
        before = letter, span_type
    return tuple(converted)


def conll_lines(sentences: Iterable[Sequence[Sequence[str]]]) -> Iterator[str]:
    """The lines of sentences, each a list of columns such as (words, tags)."""
    for columns in sentences:
        for row in zip(*columns, strict=True):
            yield " ".join(row)
        yield ""


def looks_like_conll(path: Path, tags: Collection[str] = ()) -> bool:
    """Whether a file is CoNLL by its name or its first lines.

    Plain text is told apart: sentences of CoNLL end with empty lines, and nine of ten other lines
    have equally many columns, the last of which is O or a tag such as B-PER.

    Args:
        path: the file, also as .gz.
        tags: other tags that a model knows, such as parts of speech, of which two must occur.

    Raises:
        KerasuiteError: if the file cannot be read.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(ENDINGS + PARTS):
        return True
    lines = _first_lines(path)
    texts = [line for line in lines if line.strip() and not COMMENT.match(line)]
    texts = [line for line in texts if not line.startswith("#\t")] or texts
    rows = [split_columns(line, "\t" in line) for line in texts]
    if any(row[0] == DOCUMENT for row in rows):
        return True
    last = _last_columns(rows)
    if all(map(str.strip, lines)) or len(last) <= 0.9 * len(rows):
        return False
    of_spans = sum(tag == OUTSIDE or bool(SPAN_TAG.fullmatch(tag)) for tag in last)
    of_model = [tag for tag in last if tag in tags]
    # A single one might be the full stop at the end of every line.
    return of_spans > 0.9 * len(rows) or (
        len(of_model) > 0.9 * len(rows) and len(set(of_model)) > 1
    )


def _first_lines(path: Path) -> list[str]:
    """The first lines of a file that may be too large to be read as a whole."""
    lines = itertools.islice(split_lines(Source(str(path), path)), _SNIFFED_LINES)
    texts = ((line.content or b"").decode("utf-8", "replace") for line in lines)
    return [text.removeprefix("\ufeff") for text in texts]


def _last_columns(rows: list[list[str]]) -> list[str]:
    """The last column of the rows with the most common number of columns, at least two."""
    widths = Counter(map(len, rows))
    width = max(widths, key=widths.get, default=0)
    return [row[-1] for row in rows if len(row) == width > 1]


def _sentences(
    path: Path, lines: Sequence[str], columns: ConllColumns, labelled: bool
) -> tuple[list[TaggedSentence], list[str]]:
    sentences, problems, rows, begin, ragged = [], [], [], 1, False
    for number, line in enumerate([*lines, ""], 1):
        row = columns.split(line) if line.strip() else []
        if not row or line.startswith(DOCUMENT):
            if rows and not ragged:
                sentences.append(_sentence(rows, columns, f"{path}:{begin}"))
            rows, ragged, begin = [], False, number + 1
        elif not rows and columns.is_comment(line):
            begin = number + 1
        elif columns.is_no_word(row):
            continue
        elif labelled and len(row) < 2:
            ragged = True
            problems.append(f"{path}:{number}: a word without a tag; write 'word tag'")
        elif len(row) != columns.width:
            ragged = True
            problems.append(
                f"{path}:{number}: {len(row)} columns instead of {columns.width}; mend the line"
            )
        else:
            rows.append(row)
    return sentences, problems


def _sentence(rows: list[list[str]], columns: ConllColumns, location: str) -> TaggedSentence:
    words = tuple(row[columns.word] for row in rows)
    tagged = columns.width > 1 + columns.indexed
    return TaggedSentence(
        words, tuple(row[columns.tag] for row in rows) if tagged else (), location
    )
