"""Text files to lines, exactly as many as the file has."""

import codecs
import dataclasses
import gzip
import re
import zlib
from pathlib import Path

from shared.common.errors import KerasuiteError, from_os_error

_INVALID = re.compile("[\udc80-\udcff]")
# Text in UTF-16 without a byte-order mark, and most binary files, have more zero bytes than this.
_MAX_ZERO_BYTES = 0.05


@dataclasses.dataclass(frozen=True)
class TextLines:
    """The lines of a file, and where it is not UTF-8.

    Attributes:
        lines: list of str. Without line ends; invalid bytes are replaced by U+FFFD.
        invalid: list of int. The numbers, from 1, of the lines with invalid bytes.
    """

    lines: list[str]
    invalid: list[int]


def read_lines(path: Path) -> TextLines:
    """Reads a UTF-8 file, or its .gz.

    Lines end with LF or CRLF and with nothing else: the other characters that Unicode calls line
    ends occur within sentences, and would shift the lines of one file against another. A
    byte-order mark is left out.

    Raises:
        KerasuiteError: if the file is missing, empty, damaged or no text.
    """
    data = _content(path)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise KerasuiteError(
            f"{path}: is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 IN > OUT"
        )
    if data[:4096].count(0) > _MAX_ZERO_BYTES * len(data[:4096]):
        raise KerasuiteError(f"{path}: is no text file (it has zero bytes); give UTF-8 text")
    # UTF-8 has no surrogates, so that those of this error handler mark the invalid bytes.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if not any(lines):
        raise KerasuiteError(f"{path}: is empty; give a file with one sentence a line")
    invalid = [number for number, line in enumerate(lines, 1) if _INVALID.search(line)]
    for number in invalid:
        lines[number - 1] = _INVALID.sub("\ufffd", lines[number - 1])
    return TextLines(lines, invalid)


def _content(path: Path) -> bytes:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as file:
                return file.read()
        return path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KerasuiteError(f"{path}: is damaged ({error}); fetch or pack it again") from error
    except OSError as error:
        error.filename = error.filename or str(path)
        raise from_os_error(error) from error
