"""Text files to lines, exactly as many as the file has."""

import codecs
import dataclasses
import gzip
import io
import re
import zlib
from pathlib import Path

from shared.common.errors import KerasuiteError, from_os_error
from shared.text.text_encoding import is_binary, utf8_stream

# A packed file says nothing of its size, and a few megabytes may unpack to terabytes.
MAX_UNPACKED = 1 << 30
_INVALID = re.compile("[\udc80-\udcff]")


@dataclasses.dataclass(frozen=True)
class TextLines:
    """The lines of a file, and which of them are damaged.

    Attributes:
        lines: list of str. Without line ends; invalid bytes are replaced by U+FFFD.
        invalid: list of int. The numbers, from 1, of the lines with bytes that are not UTF-8.
        zero: list of int. The numbers of the lines with zero bytes, which stay.
    """

    lines: list[str]
    invalid: list[int]
    zero: list[int]

    def problems(self, path: Path) -> tuple[str, ...]:
        """Messages about the damaged lines of the file `path`."""
        kinds = (
            (self.invalid, "are not UTF-8", "the invalid bytes were replaced; convert the file"),
            (self.zero, "have zero bytes", "remove them"),
        )
        return tuple(
            f"{path}: {len(numbers):,} line(s) {what}, first line {numbers[0]}; {mend}"
            for numbers, what, mend in kinds
            if numbers
        )


def read_lines(path: Path) -> TextLines:
    """Reads a file in UTF-8, or in UTF-16 with a byte-order mark, or its .gz.

    Lines end with LF or CRLF and with nothing else: the other characters that Unicode calls line
    ends occur within sentences, and would shift the lines of one file against another. A
    byte-order mark is left out.

    Raises:
        KerasuiteError: if the file is missing, empty, damaged, no text, or packed and huge.
    """
    data = _content(path)
    if is_binary(data.count(0), len(data)):
        raise KerasuiteError(f"{path}: is no text file (it has zero bytes); give UTF-8 text")
    # UTF-8 has no surrogates, so that those of this error handler mark the invalid bytes.
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if not any(lines):
        raise KerasuiteError(f"{path}: is empty; give a file with one sentence a line")
    invalid = [number for number, line in enumerate(lines, 1) if _INVALID.search(line)]
    for number in invalid:
        lines[number - 1] = _INVALID.sub("\ufffd", lines[number - 1])
    zero = [number for number, line in enumerate(lines, 1) if "\0" in line]
    return TextLines(lines, invalid, zero)


def _content(path: Path) -> bytes:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as file:
                data = utf8_stream(file).read(MAX_UNPACKED + 1)
            if len(data) > MAX_UNPACKED:
                raise KerasuiteError(
                    f"{path}: unpacks to more than {MAX_UNPACKED >> 20:,} MiB; unpack it yourself, "
                    f"or cut it into several"
                )
            return data
        return utf8_stream(io.BytesIO(path.read_bytes())).read()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KerasuiteError(f"{path}: is damaged ({error}); fetch or pack it again") from error
    except OSError as error:
        error.filename = error.filename or str(path)
        raise from_os_error(error) from error
