"""INPUT... of the command line as one stable, ordered stream of sources."""

import contextlib
import dataclasses
import fnmatch
import glob
import heapq
import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from shared.common.errors import KerasuiteError, UsageError, from_os_error

STANDARD_INPUT = "stdin"


@dataclasses.dataclass(frozen=True)
class Source:
    """One input: a file, standard input, or one line of either.

    Attributes:
        name: str. What is reported under "file": the path relative to the inputs' root.
        path: Path, or None for standard input.
        line: int or None. The number of the line, from 1, where a file is split into lines.
        content: what `Predictor.split` found on that line.
    """

    name: str
    path: Path | None
    line: int | None = None
    content: Any = None

    @property
    def key(self) -> tuple[str, int | None]:
        """Tells this source from all others of a run."""
        return self.name, self.line

    def named_in(self, message: str) -> str:
        """A message about this file with its name in place of its path, as in all results."""
        return message if self.path is None else message.replace(str(self.path), self.name)

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Opens the file, or standard input, for reading bytes.

        Raises:
            KerasuiteError: if the file cannot be opened or read.
        """
        try:
            if self.path is None:
                yield sys.stdin.buffer
            else:
                with open(self.path, "rb") as file:
                    yield file
        except OSError as error:
            error.filename = error.filename or self.name
            raise from_os_error(error) from error

    def read_bytes(self) -> bytes:
        """The whole content."""
        with self.open() as file:
            return file.read()


def find_inputs(
    inputs: Sequence[str | os.PathLike],
    suffixes: Sequence[str] = (),
    *,
    output: str | os.PathLike | None = None,
    limit: int | None = None,
    shard: str | None = None,
) -> "Selection":
    """What a command shall read; can be iterated again and again.

    Args:
        inputs, suffixes, output: see `Sources`.
        limit: int or None. Only the first so many.
        shard: "K/N" or None. Of these, every N-th, beginning with the K-th.

    Returns:
        An iterable of `Source`.

    Raises:
        KerasuiteError: see `Sources`.
        UsageError: if `shard` is not K/N.
    """
    return Selection(Sources(inputs, suffixes, output), limit, shard)


class Selection(Iterable[Source]):
    """A part of a stream of sources; see `find_inputs`."""

    def __init__(self, sources: Iterable[Source], limit: int | None, shard: str | None):
        self.limit = limit
        self._sources = sources
        self._part, self._parts = parse_shard(shard) if shard else (1, 1)

    def __iter__(self) -> Iterator[Source]:
        return itertools.islice(self._sources, self._part - 1, self.limit, self._parts)


class Sources(Iterable[Source]):
    """Files, folders (recursive), globs and `-` (standard input), in one stable order.

    Names are relative to the folder (a single folder), to the fixed part of a glob, or to the
    common parent of several inputs, so that they are unique. The order is that of the names,
    component by component; standard input comes first. Folders give the files with one of the
    `suffixes`; files named or matched by a glob are always taken. Hidden files, the `output`
    folder and further ways to the same file are left out. Every iteration walks the folders
    anew and holds one directory listing for each level.

    Args:
        inputs: sequence of str. What the user named.
        suffixes: sequence of str, such as (".jpg", ".png"); empty takes every file.
        output: path or None. The folder that the results go to.

    Raises:
        KerasuiteError: if an input is missing, is the output folder or holds no file to read.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike],
        suffixes: Sequence[str] = (),
        output: str | os.PathLike | None = None,
    ):
        self._output = None if output is None else os.path.realpath(output)
        self._suffixes = tuple(suffix.lower() for suffix in suffixes)
        self._standard_input = False
        self._files: dict[str, str] = {}  # Real path -> path as named.
        self._walks: list[_Walk] = []
        if not inputs:
            raise UsageError("no INPUT; name files, folders, globs or - for standard input")
        for item in inputs:
            self._add(os.fspath(item))
        roots = [walk.root for walk in self._walks]
        roots += [os.path.dirname(path) for path in self._files.values()]
        self._base = os.path.commonpath(roots) if roots else ""
        for walk in self._walks:
            if next(walk.files(), None) is None:
                raise KerasuiteError(walk.nothing_found())

    def __iter__(self) -> Iterator[Source]:
        if self._standard_input:
            yield Source(STANDARD_INPUT, None)
        named = sorted(
            (self._source(path) for path in self._files.values()), key=lambda pair: pair[0]
        )
        over_links: set[str] = set()
        walked = (self._walked(index, over_links) for index in range(len(self._walks)))
        for _, source in heapq.merge(named, *walked, key=lambda pair: pair[0]):
            yield source

    def _add(self, item: str) -> None:
        path = os.path.abspath(item)
        if item == "-":
            self._standard_input = True
        elif os.path.isdir(path):
            if os.path.realpath(path) == self._output:
                raise KerasuiteError(
                    f"{item} is both INPUT and --output; choose another folder for --output"
                )
            self._walks.append(_Walk(item, path, (), self._suffixes, self._output))
        elif os.path.exists(path):
            self._files.setdefault(os.path.realpath(path), path)
        elif glob.has_magic(item):
            root, pattern = _fixed_part(path)
            self._walks.append(_Walk(item, root, pattern, self._suffixes, self._output))
        else:
            raise KerasuiteError(f"INPUT {item} does not exist; check the path")

    def _source(self, path: str) -> tuple[list[str], Source]:
        name = os.path.relpath(path, self._base).replace(os.sep, "/")
        return name.split("/"), Source(name, Path(path))

    def _walked(self, index: int, over_links: set[str]) -> Iterator[tuple[list[str], Source]]:
        """The files of one walk, without those that another input already gives.

        Only files behind symbolic links are remembered, in `over_links`.
        """
        walk = self._walks[index]
        alone = len(self._walks) == 1 and not self._files
        for names, linked in walk.files():
            path = os.path.join(walk.root, *names)
            if linked and os.path.exists(path):
                real = os.path.realpath(path)
                if self._given(real, self._walks) or real in over_links:
                    continue
                over_links.add(real)
            elif not alone:
                real = os.path.join(walk.real, *names)
                if self._given(real, self._walks[:index]):
                    continue
            yield self._source(path)

    def _given(self, real: str, walks: "list[_Walk]") -> bool:
        """Whether the file with this real path is named itself or found by one of the walks."""
        return real in self._files or any(walk.finds(real) for walk in walks)


class _Walk:
    """A folder (`pattern` empty) or a glob below its fixed part, walked in order.

    Args:
        item: str. The input as the user wrote it.
        root: str. Absolute folder to start from.
        pattern: sequence of str. Components of the glob below the root.
        suffixes: tuple of str in lower case.
        output: str or None. Real path of a folder to leave out.
    """

    def __init__(self, item, root, pattern, suffixes, output):
        self.item, self.root, self.real = item, root, os.path.realpath(root)
        self._pattern, self._suffixes, self._output = tuple(pattern), suffixes, output

    def nothing_found(self) -> str:
        """The message for a walk without files."""
        if self._pattern:
            return f"INPUT {self.item} matches no file; check the pattern"
        wanted = ", ".join(self._suffixes) or "any name"
        return f"INPUT folder {self.item} holds no file to read (looked for {wanted})"

    def files(self) -> Iterator[tuple[list[str], bool]]:
        """Yields (path below the root as components, whether a symbolic link was crossed)."""
        levels = [([], self.real, False, iter(_listing(self.root) or ()))]
        while levels:
            above, real, linked, entries = levels[-1]
            entry = next(entries, None)
            if entry is None:
                levels.pop()
                continue
            names = [*above, entry.name]
            crossed = linked or entry.is_symlink()
            if not _is_folder(entry):
                if self._takes(names) and _can_be_read(entry):
                    yield names, crossed
            elif self._enters(names):
                real = os.path.realpath(entry.path) if crossed else os.path.join(real, entry.name)
                # A link to a folder that is being walked would never end.
                if real == self._output or any(real == level[1] for level in levels):
                    continue
                listing = _listing(entry.path)
                if listing is None:
                    yield names, crossed  # Reading it will say what is wrong.
                else:
                    levels.append((names, real, crossed, iter(listing)))

    def finds(self, real: str) -> bool:
        """Whether the walk gives the file with this real path, not counting links."""
        if not _below(real, self.real) or (self._output and _below(real, self._output)):
            return False
        return self._takes(os.path.relpath(real, self.real).split(os.sep))

    def _takes(self, names: list[str]) -> bool:
        if self._pattern and _matches(self._pattern, names):
            return True
        for depth in range(len(names)) if self._pattern else [0]:
            if not self._pattern or _matches(self._pattern, names[:depth]):
                inside = names[depth:]
                return not any(map(_hidden, inside)) and self._has_suffix(names[-1])
        return False

    def _enters(self, names: list[str]) -> bool:
        if not self._pattern:
            return not _hidden(names[-1])
        if any(_matches(self._pattern, names[:depth]) for depth in range(1, len(names) + 1)):
            return not _hidden(names[-1]) or _matches(self._pattern, names)
        return _may_match_below(self._pattern, names)

    def _has_suffix(self, name: str) -> bool:
        return not self._suffixes or name.lower().endswith(self._suffixes)


def _listing(folder: str) -> list[os.DirEntry] | None:
    """The entries of a folder in order, or None if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _can_be_read(entry: os.DirEntry) -> bool:
    """Leaves out pipes and devices, but not broken links: those shall be reported."""
    try:
        return entry.is_file() or entry.is_symlink()
    except OSError:
        return True


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _fixed_part(path: str) -> tuple[str, list[str]]:
    """Splits an absolute glob into the folder before the first wildcard and the components."""
    parts = path.split(os.sep)
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return os.sep.join(parts[:first]) or os.sep, parts[first:]


def _matches_one(pattern: str, name: str) -> bool:
    """As in a shell, a wildcard does not match the dot of a hidden name."""
    return fnmatch.fnmatchcase(name, pattern) and (not _hidden(name) or _hidden(pattern))


def _matches(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a glob matches a whole path; `**` stands for any number of folders."""
    if not pattern or not names:
        return not names and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches(pattern[1:], names) or (
            not _hidden(names[0]) and _matches(pattern, names[1:])
        )
    return _matches_one(pattern[0], names[0]) and _matches(pattern[1:], names[1:])


def _may_match_below(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether something below the folder `names` can match the glob."""
    if not names or not pattern:
        return bool(pattern)
    if pattern[0] == "**":
        return _may_match_below(pattern[1:], names) or (
            not _hidden(names[0]) and _may_match_below(pattern, names[1:])
        )
    return _matches_one(pattern[0], names[0]) and _may_match_below(pattern[1:], names[1:])


def parse_shard(text: str) -> tuple[int, int]:
    """`--shard K/N` as (K, N).

    Raises:
        UsageError: if it is not of this form with 1 <= K <= N.
    """
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise UsageError(f"--shard {text}: give K/N with K from 1 to N, for example 2/4")
    return int(first), int(count)
