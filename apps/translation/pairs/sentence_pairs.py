"""Sentence pairs, read from files."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from apps.translation.pairs.pair_columns import find_pair_columns
from apps.translation.pairs.pair_paths import PairFiles
from shared.common.errors import KerasuiteError
from shared.text.text_lines import TextLines, read_lines


@dataclasses.dataclass(frozen=True)
class SentencePairs:
    """Sentences of two languages, line by line.

    Attributes:
        source, target: lists of str of the same length.
        where: list of str. "FILE:LINE" of each pair.
        notes: remarks about the files for the user, a line each.
    """

    source: list[str]
    target: list[str]
    where: list[str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Iterable[int]) -> "SentencePairs":
        """The pairs with these indices."""
        indices = list(indices)
        return dataclasses.replace(
            self,
            source=[self.source[index] for index in indices],
            target=[self.target[index] for index in indices],
            where=[self.where[index] for index in indices],
        )


def read_files(files: Sequence[PairFiles], reverse: bool) -> SentencePairs:
    """The pairs of all files, one file after the other.

    Raises:
        KerasuiteError: if a file cannot be read or is empty, two files have unequal numbers of
            lines, or a row of a TSV has one column.
    """
    parts = [_read_two(item) if item.target else _read_tsv(item.source) for item in files]
    source = [text for part in parts for text in part.source]
    target = [text for part in parts for text in part.target]
    return SentencePairs(
        source=target if reverse else source,
        target=source if reverse else target,
        where=[line for part in parts for line in part.where],
        notes=tuple(note for part in parts for note in part.notes),
    )


def _read_two(files: PairFiles) -> SentencePairs:
    source, target = read_lines(files.source), read_lines(files.target)
    if len(source.lines) != len(target.lines):
        raise KerasuiteError(
            f"{files.source} has {len(source.lines):,} lines, {files.target} has "
            f"{len(target.lines):,}: line 1 must translate line 1, and so on; give aligned files"
        )
    return SentencePairs(
        source.lines,
        target.lines,
        [f"{files.source}:{number}" for number in range(1, len(source.lines) + 1)],
        source.problems(files.source) + target.problems(files.target),
    )


def _read_tsv(path: Path) -> SentencePairs:
    """The two columns of sentences; a header and empty lines are passed over, not numbered anew."""
    text = read_lines(path)
    rows = [(number, line.split("\t")) for number, line in enumerate(text.lines, 1) if line.strip()]
    if not rows:
        raise KerasuiteError(f"{path}: is empty; a row is SOURCE, a tab, TARGET")
    columns = find_pair_columns([cells for _, cells in rows])
    if columns.has_header:
        del rows[0]
    if not rows:
        raise KerasuiteError(f"{path}: is empty; a row is SOURCE, a tab, TARGET")
    source, target = columns.source, columns.target
    short = [number for number, cells in rows if len(cells) <= target]
    if short:
        more = f" (and in {len(short) - 1} more rows)" if len(short) > 1 else ""
        raise KerasuiteError(
            f"{path}:{short[0]}: one column{more}; a row is SOURCE, a tab, TARGET; two "
            f"line-aligned files are named one after the other"
        )
    notes = tuple(f"{path}: {note}" for note in columns.notes)
    return SentencePairs(
        [cells[source] for _, cells in rows],
        [cells[target] for _, cells in rows],
        [f"{path}:{number}" for number, _ in rows],
        notes + text.problems(path) + _blank_note(path, text),
    )


def _blank_note(path: Path, text: TextLines) -> tuple[str, ...]:
    blank = [number for number, line in enumerate(text.lines, 1) if not line.strip()]
    if not blank:
        return ()
    return (f"{path}:{blank[0]}: {len(blank):,} blank row(s), this is the first; passed over",)
