"""Files of vectors as streams of bytes: packed ones unpacked, other formats refused by name."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.common.errors import KerasuiteError
from shared.common.files import open_file
from shared.text.text_encoding import utf8_stream

_PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_ZIP = b"PK\x03\x04"
_PICKLE = (
    "a pickle, as gensim's own files (.kv, .model) are, and loading one can run any code; convert "
    'it where you trust it: KeyedVectors.load("OLD.kv").save_word2vec_format("NEW.txt")'
)
# What other files begin with, what they are and how to mend it.
_OTHERS = {
    b"\x80\x02": _PICKLE, b"\x80\x03": _PICKLE, b"\x80\x04": _PICKLE, b"\x80\x05": _PICKLE,
    b"\x93NUMPY": "an array of NumPy, which has no words; write word2vec text",
    b"\x89HDF": "an HDF5 file; write word2vec text",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"SQLite": "a database (such as Magnitude's); write word2vec text",
}  # fmt: skip
_BLOCK = 1 << 20
DAMAGES = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile)


@contextmanager
def open_vectors(path: Path) -> Iterator[BinaryIO]:
    """Opens a file of vectors, also .gz, .bz2, .xz, or .zip with one file; it can `peek`.

    UTF-16 becomes UTF-8, and a byte-order mark is left out.

    Raises:
        KerasuiteError: if it is of another format, or damaged; also while it is read.
    """
    try:
        with open_file(path) as file:
            begin = file.peek(8)
            for start, kind in _OTHERS.items():
                if begin.startswith(start):
                    raise KerasuiteError(f"{path}: is {kind}")
            unpack = next((op for start, op in _PACKED.items() if begin.startswith(start)), None)
            if begin.startswith(_ZIP):
                with zipfile.ZipFile(file) as archive:
                    yield _as_text(_open_member(path, archive))
            elif unpack:
                with unpack(file) as stream:
                    yield _as_text(_unless_archive(path, stream))
            elif path.suffix.lower() in (".gz", ".bz2", ".xz", ".zip"):
                raise KerasuiteError(f"{path}: is not packed as its name says; fetch it again")
            else:
                yield _as_text(_unless_archive(path, file))
    except DAMAGES as error:
        raise KerasuiteError(f"{path}: is damaged ({error}); fetch it again") from error
    except OSError as error:
        if error.filename:
            raise
        # Of bz2 and of zip, which have no class of their own for it.
        raise KerasuiteError(f"{path}: is damaged ({error}); fetch it again") from error


def _as_text(stream: BinaryIO) -> BinaryIO:
    stream = utf8_stream(io.BufferedReader(stream, _BLOCK))
    if stream.peek(3).startswith(codecs.BOM_UTF8):
        stream.read(3)
    return stream


def _unless_archive(path: Path, stream: BinaryIO) -> BinaryIO:
    if stream.peek(262)[257:262] == b"ustar":
        raise KerasuiteError(f"{path}: is a tar archive; unpack it and name the file of vectors")
    return stream


def _open_member(path: Path, archive: zipfile.ZipFile) -> BinaryIO:
    """Opens the only file of an archive."""
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith((".", "__MACOSX"))
    ]
    if len(names) != 1:
        listed = ", ".join(names[:8]) or "nothing"
        raise KerasuiteError(f"{path}: holds {listed}; unpack it and name one file of vectors")
    try:
        return archive.open(names[0])
    except (RuntimeError, NotImplementedError) as error:
        raise KerasuiteError(f"{path}: {error}; unpack the archive yourself") from error
