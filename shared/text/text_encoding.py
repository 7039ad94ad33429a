"""UTF-8 from files in UTF-8 or, where a byte-order mark says so, in UTF-16."""

import codecs
import io
from typing import BinaryIO

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Text in UTF-16 without a byte-order mark, and most binary files, have more zero bytes than this.
MAX_ZERO_SHARE = 0.05
_BLOCK = 1 << 18


def utf8_stream(stream: BinaryIO) -> BinaryIO:
    """The content of a file as UTF-8, in constant memory; invalid UTF-8 stays as it is."""
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream, _BLOCK)
    begin = stream.peek(_BLOCK)
    # The two bytes of the mark alone may be Latin-1.
    if begin.startswith(UTF16_MARKS) and b"\0" in begin:
        return io.BufferedReader(_Recoded(stream), _BLOCK)
    return stream


def is_binary(zero_bytes: int, size: int) -> bool:
    """Whether a file is no text, or one in another encoding, by the number of its zero bytes."""
    return zero_bytes > MAX_ZERO_SHARE * size


class _Recoded(io.RawIOBase):
    """UTF-16 with a byte-order mark, as UTF-8."""

    def __init__(self, stream: BinaryIO):
        super().__init__()
        self._stream, self._rest = stream, b""
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")

    def readable(self):
        return True

    def readinto(self, buffer):
        ended = False
        while not self._rest and not ended:
            data = self._stream.read(_BLOCK)
            ended = not data
            self._rest = self._decoder.decode(data, ended).encode("utf-8", "replace")
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
