"""A tokenised corpus, and the stretches of it that make sequences.

Lines are the units of text; an empty line ends a document. Sequences are filled with consecutive
lines up to their length, across the ends of documents (RoBERTa's "full sentences"); with pairs, a
sequence has two segments, each of consecutive lines of one document.

Reference: [Liu et al., 2019, section 4.2](https://arxiv.org/abs/1907.11692);
[Devlin et al., 2019, section 3.1](https://arxiv.org/abs/1810.04805)
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from shared.common.files import atomic_path
from shared.text.string_tensors import as_strings

# Lines that are tokenised at a time.
CHUNK = 2048


@dataclasses.dataclass(frozen=True)
class EncodedText:
    """The word pieces of a corpus.

    Attributes:
        token_ids: int32 (P,).
        line_ends: int64 (L + 1,). Line i is token_ids[line_ends[i]:line_ends[i + 1]].
        documents: int32 (L,). Index of the document of each line.
    """

    token_ids: np.ndarray
    line_ends: np.ndarray
    documents: np.ndarray

    def save(self, path: Path) -> None:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "EncodedText":
        with np.load(path, allow_pickle=False) as file:
            return cls(*(file[field.name] for field in dataclasses.fields(cls)))


def encode_text(lines: Iterable[str], tokenizer: Tokenizer) -> EncodedText:
    """Tokenises the lines of a corpus; lines without word pieces end a document."""
    token_ids, lengths, documents, document = [], [], [], 0
    for part in _chunks(lines):
        ragged = tokenizer(as_strings(part))
        token_ids.append(ragged.values.numpy())
        for length in ragged.row_lengths().numpy():
            if length:
                lengths.append(length)
                documents.append(document)
            else:
                document += 1
    return EncodedText(
        np.concatenate([np.zeros(0, np.int32), *token_ids]),
        np.cumsum([0, *lengths], dtype=np.int64),
        np.array(documents, np.int32),
    )


def _chunks(lines: Iterable[str]) -> Iterable[list[str]]:
    part = []
    for line in lines:
        part.append(line)
        if len(part) == CHUNK:
            yield part
            part = []
    if part:
        yield part


def full_sequences(text: EncodedText, room: int) -> np.ndarray:
    """Stretches of consecutive lines of at most `room` tokens: int64 (N, 2), begin and end.

    Longer lines are cut.
    """
    ends = _cut_long(text.line_ends, room)
    return _filled(ends, room)


def _cut_long(ends: np.ndarray, room: int) -> np.ndarray:
    """Line ends with further ones inside lines of more than `room` tokens."""
    lengths = np.diff(ends)
    extra = [
        np.arange(begin + room, begin + length, room)
        for begin, length in zip(ends[:-1], lengths, strict=True)
        if length > room
    ]
    return np.unique(np.concatenate([ends, *extra]))


def _filled(ends: np.ndarray, room: int) -> np.ndarray:
    """Consecutive stretches, each of as many lines as fit."""
    stretches, begin = [], 0
    while begin < len(ends) - 1:
        end = int(np.searchsorted(ends, ends[begin] + room, side="right")) - 1
        stretches.append((ends[begin], ends[end]))
        begin = end
    return np.array(stretches, np.int64).reshape(-1, 2)


def paired_sequences(text: EncodedText, room: int) -> np.ndarray:
    """Neighbouring stretches of one document: int64 (N, 3), begin, border and end.

    Each half has at most half of the room. The rest at a document's end is split in two; documents
    with a single line have no pair.
    """
    found = []
    borders = np.flatnonzero(np.diff(text.documents)) + 1
    for lines in np.split(np.arange(len(text.documents)), borders):
        if len(lines) == 0:
            continue
        ends = _cut_long(text.line_ends[lines[0] : lines[-1] + 2], room // 2)
        halves = _filled(ends, room // 2).tolist()
        if len(halves) % 2:
            halves += _halved(*halves.pop(), ends)
        found += [
            (left[0], left[1], right[1])
            for left, right in zip(halves[::2], halves[1::2], strict=True)
        ]
    return np.array(found, np.int64).reshape(-1, 3)


def _halved(begin: int, end: int, ends: np.ndarray) -> list[tuple[int, int]]:
    """Splits a stretch into two of about equally many lines; none if it has a single line."""
    inside = ends[(ends > begin) & (ends < end)]
    if not len(inside):
        return []
    border = int(inside[len(inside) // 2])
    return [(begin, border), (border, end)]
