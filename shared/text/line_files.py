"""Text files as lines, and lines as text files: plain or .gz, one line out for each line in."""

import dataclasses
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source

# A line has to fit into memory some hundred times.
MAX_LINE_BYTES = 4 * 2**20
_BLOCK = 2**20
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Characters that would end or spoil a line: control characters, line and paragraph separators, the
# byte-order mark; and the sign by which vocabularies write a space.
_BLANK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff▁]")


def split_lines(source: Source) -> Iterator[Source]:
    """One source for each line of a file; `content` is the line as bytes, without its end.

    A line ends with \\n or \\r\\n; the last one may lack it. The content of a line that is too
    long is None.

    Raises:
        KerasuiteError: if the file cannot be read on, or is UTF-16.
    """
    with source.open() as file:
        for number, line in enumerate(_raw_lines(source, file), 1):
            if number == 1 and line and line.startswith(_UTF16_MARKS) and b"\0" in line:
                raise KerasuiteError(f"{source.name} is UTF-16; convert it to UTF-8")
            content = None if line is None else line.removesuffix(b"\n").removesuffix(b"\r")
            yield dataclasses.replace(source, line=number, content=content)


def count_lines(source: Source) -> int:
    """The number of lines that `split_lines` gives, without keeping any."""
    count, last = 0, b"\n"
    with source.open() as file:
        opened = _opened(source, file)
        while block := opened.read(_BLOCK):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def read_line(source: Source) -> str:
    """The text of one line, without control characters and without spaces at its ends.

    Raises:
        KerasuiteError: if the line is too long.
    """
    return clean_line(raw_line(source))


def raw_line(source: Source) -> str:
    """The text of one line as it stands in the file, tabs included; see `read_line`."""
    if source.content is None:
        raise KerasuiteError(
            f"the line has more than {MAX_LINE_BYTES // 2**20} MiB; cut it into several"
        )
    return source.content.decode("utf-8", "replace")


def is_utf8(line: bytes) -> bool:
    """Whether a line is valid UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def clean_line(text: str) -> str:
    """A text as one line, whatever a reader takes for the end of a line.

    >>> clean_line(" a\\tb\\r\\nc\\x85")
    'a b  c'
    """
    return _BLANK.sub(" ", text).strip()


def file_pieces(name: str, lines: Iterable[str]) -> Iterator[bytes]:
    """The content of a file of lines, compressed if its name says so, piece by piece.

    The same lines give the same bytes: no time is written into a .gz.
    """
    encoded = (f"{line}\n".encode("utf-8", "replace") for line in lines)
    if not is_gzip(name):
        yield from encoded
        return
    compressor = zlib.compressobj(wbits=31)  # 31: with the header of a .gz.
    for line in encoded:
        yield compressor.compress(line)
    yield compressor.flush()


def is_gzip(name: str) -> bool:
    """Whether a file's name says that it is compressed."""
    return name.lower().endswith(".gz")


def _raw_lines(source: Source, file: BinaryIO) -> Iterator[bytes | None]:
    """Lines with their ends; None for those that are too long, which are read past."""
    number, opened = 0, _opened(source, file)
    try:
        while line := opened.readline(MAX_LINE_BYTES):
            number += 1
            rest = line
            while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
                line, rest = None, opened.readline(MAX_LINE_BYTES)
            yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KerasuiteError(
            f"{source.name} is damaged behind line {number} ({error}); compress it again"
        ) from error


def _opened(source: Source, file: BinaryIO) -> BinaryIO:
    return gzip.GzipFile(fileobj=file) if is_gzip(source.name) else file
