"""Text files of any size, also packed ones: read in pieces, in constant memory."""

import codecs
import gzip
import io
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.common.messages import warn
from shared.text.text_encoding import is_binary, utf8_stream

TEXT_SUFFIXES = (".txt", ".text", ".tokens", ".cor")
SUFFIXES = (*TEXT_SUFFIXES, ".gz", ".zip")

PIECE = 1 << 18
MAX_WORD_LENGTH = 1 << 20
# Zero bytes, and the marks of `surrogateescape` for bytes that are not UTF-8.
DAMAGED = re.compile("[\0\udc80-\udcff]")


def lines_of(
    data: Sequence[str | os.PathLike],
    breaks: str = " \t\r\n",
    damaged: Counter[str] | None = None,
) -> Iterator[str]:
    """The lines of files and folders, without line ends, empty ones too; one after each file.

    Args:
        data: files, folders (recursive: .txt .text .tokens .cor, .gz and .zip of such) or globs.
        breaks: where a line of more than 250,000 characters may be cut.
        damaged: counts the bytes of each file that are not UTF-8 or zero.

    Raises:
        KerasuiteError: if a path is missing, holds no text or cannot be read.
    """
    for source in find_inputs(data, SUFFIXES):
        for name, stream in open_texts(str(source.path)):
            for piece in pieces_of(name, stream, breaks, damaged):
                for line in piece.removesuffix("\n").split("\n"):
                    yield line.removesuffix("\r")
            yield ""


def pieces_of(
    name: str, stream: BinaryIO, breaks: str = " \t\r\n", damaged: Counter[str] | None = None
) -> Iterator[str]:
    """The text of an opened file in pieces that end with a line end, or within a long line.

    Args:
        name: of the file, see `open_texts`.
        stream: its bytes.
        breaks: where a line of more than 250,000 characters may be cut.
        damaged: counts the bytes of each file that are not UTF-8 or zero.

    Raises:
        KerasuiteError: see `decoded`.
    """
    return cut(_counted(name, stream, damaged), breaks)


def _counted(name: str, stream: BinaryIO, damaged: Counter[str] | None) -> Iterator[str]:
    for text, invalid in decoded(name, stream):
        if damaged is not None and invalid:
            damaged[name] += invalid
        yield text


def report_damaged(damaged: Mapping[str, int]) -> None:
    """Warns of bytes that were replaced, by file."""
    if damaged:
        warn(
            f"{sum(damaged.values()):,} bytes in {len(damaged)} file(s) are not UTF-8 or zero and "
            f"were replaced, first in {min(damaged)}; convert the file"
        )


def cut(texts: Iterable[str], breaks: str) -> Iterator[str]:
    """Joins and cuts text again so that no piece ends within a word, nor a short line.

    Pieces end with a line end; where a line is long, with one of the characters `breaks`; and
    where there is none in a million characters, anywhere, because that is no word.
    """
    rest = ""
    for text in texts:
        rest += text
        end = rest.rfind("\n") + 1
        if not end and len(rest) > PIECE:
            end = max(rest.rfind(character) for character in breaks) + 1
        if not end and len(rest) > MAX_WORD_LENGTH:
            end = len(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def decoded(name: str, stream: BinaryIO) -> Iterator[tuple[str, int]]:
    """Reads UTF-8, or UTF-16 with a byte-order mark, piece by piece, without that mark.

    Yields:
        (text, number of bytes in it that are not UTF-8 or zero, each replaced by U+FFFD).

    Raises:
        KerasuiteError: if the file is damaged or no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    zero_bytes = size = 0
    for data in _read(name, stream):
        zero_bytes, size = zero_bytes + data.count(0), size + len(data)
        if is_binary(zero_bytes, size):
            raise KerasuiteError(f"{name}: is no text file (it has zero bytes); leave it out")
        text = decoder.decode(data, final=not data)
        if text.isascii() and "\0" not in text:
            yield text, 0
        else:
            yield DAMAGED.subn("\ufffd", text)


def _read(name: str, stream: BinaryIO) -> Iterator[bytes]:
    """Yields the content in pieces and at last an empty one."""
    recoded = None
    while True:
        try:
            recoded = recoded or utf8_stream(stream)
            data = recoded.read(PIECE)
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise KerasuiteError(f"{name}: is damaged ({error}); fetch or pack it again") from error
        yield data
        if not data:
            return


def open_texts(path: str) -> Iterator[tuple[str, BinaryIO]]:
    """Opens a text file, a gzipped one, or one after the other the text files of a zip archive.

    Yields:
        (name, stream of bytes); a member of an archive is named `ARCHIVE/MEMBER`.

    Raises:
        KerasuiteError: if the file cannot be opened or the archive holds no text.
    """
    lower = path.lower()
    if lower.endswith((".tar.gz", ".tgz", ".tar")):
        raise KerasuiteError(f"{path}: is a tar archive; unpack it and name the folder")
    try:
        if lower.endswith(".zip"):
            yield from _members(path)
        else:
            with gzip.open(path) if lower.endswith(".gz") else open(path, "rb") as stream:
                yield path, stream
    except OSError as error:
        raise KerasuiteError(f"{path}: {error.strerror or error}; check the file") from error


def _members(path: str) -> Iterator[tuple[str, BinaryIO]]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise KerasuiteError(
            f"{path}: is damaged or no zip archive ({error}); pack it again"
        ) from error
    with archive:
        names = sorted(name for name in archive.namelist() if _is_text_member(name))
        if not names:
            raise KerasuiteError(
                f"{path}: no text in it; expected {' '.join(TEXT_SUFFIXES)} files in the archive"
            )
        for name in names:
            yield f"{path}/{name}", _open_member(archive, path, name)


def _is_text_member(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return name.lower().endswith(TEXT_SUFFIXES) and not hidden


def _open_member(archive: zipfile.ZipFile, path: str, name: str) -> BinaryIO:
    try:
        return io.BufferedReader(archive.open(name), PIECE)
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise KerasuiteError(f"{path}/{name}: {error}; unpack the archive yourself") from error
