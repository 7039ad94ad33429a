"""INPUT... of the command line as a list of sources in a stable order.

The list is made once, before the first source is read, and holds the path of each file. With
paths of 72 characters it took 130 bytes a file, and 300 while it was made (100,000 files, 0.8 s):
a million files take 0.3 GB.
"""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from shared.common.errors import UsageError, from_os_error
from shared.common.files import open_file
from shared.common.input_paths import find_paths

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
        """A message about this file with its name instead of its path, as in all results."""
        return message if self.path is None else message.replace(str(self.path), self.name)

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Opens the file, or standard input, for reading bytes.

        Raises:
            KerasuiteError: if the file cannot be opened or read, or is no regular file.
        """
        try:
            if self.path is None:
                yield sys.stdin.buffer
            else:
                with open_file(self.path) as file:
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
) -> "Inputs":
    """Finds what a command shall read.

    Names are relative to the folder (a single folder), to the fixed part of a glob, or to the
    common parent of several inputs, so that they are unique. The order is that of the names,
    component by component; standard input comes first.

    Args:
        inputs: what the user named: files, folders (recursive), globs and `-` (standard input).
        suffixes: such as (".jpg", ".png"), for the files in folders; empty takes every file.
            Files that are named or matched by a glob are always taken.
        output: path or None. The folder that the results go to, which is left out.
        limit: int or None. Take the first `limit` only.
        shard: "K/N" or None. Of these, every N-th, beginning with the K-th.

    Raises:
        KerasuiteError: if an input is missing, is the output folder or holds no file to read.
        UsageError: if there are no inputs, or `shard` is not K/N.
    """
    if not inputs:
        raise UsageError("no INPUT; name files, folders, globs or - for standard input")
    items = [os.fspath(item) for item in inputs]
    base, paths = find_paths([item for item in items if item != "-"], suffixes, output)
    found = [None] if "-" in items else []
    found += paths
    part, parts = parse_shard(shard) if shard else (1, 1)
    return Inputs(base, found[part - 1 : limit : parts], limit)


class Inputs(Sequence[Source]):
    """The sources that `find_inputs` found, made anew from their paths at each access.

    Args:
        base: str. The folder that names are relative to.
        paths: of the files below it, and None for standard input.
        limit: int or None. The limit that they were cut to.
    """

    def __init__(self, base: str, paths: list[str | None], limit: int | None = None):
        self.limit = limit
        self._paths = paths
        self._start = len(base.rstrip(os.sep)) + 1

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Source:
        path = self._paths[index]
        if path is None:
            return Source(STANDARD_INPUT, None)
        return Source(path[self._start :].replace(os.sep, "/"), Path(path))


def parse_shard(text: str) -> tuple[int, int]:
    """`--shard K/N` as (K, N).

    Raises:
        UsageError: if it is not of this form with 1 <= K <= N.
    """
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise UsageError(f"--shard {text}: give K/N with K from 1 to N, for example 2/4")
    return int(first), int(count)
