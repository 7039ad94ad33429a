"""Reading regular files only, and atomic writes: a reader never sees half a file."""

import contextlib
import errno
import json
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from shared.common.errors import KerasuiteError

PARTIAL = ".partial-"  # begins the name of what is being written


def open_file(path: str | os.PathLike, buffering: int = -1) -> BinaryIO:
    """Opens a regular file for reading bytes; a pipe or a device would never end.

    Args:
        path: path of the file; links are followed.
        buffering: int. As in `open`.

    Raises:
        OSError: if it cannot be opened, or is a pipe, a device or a socket.
    """

    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", buffering, opener=without_waiting)  # noqa: SIM115
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):
        file.close()
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
    return file


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `path` and renames it to `path` on success.

    The temporary name keeps the suffix of `path`, because some writers choose the format by
    it. On an exception the temporary file is removed and `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # "No space left" alone names nothing.
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary folder beside `path` and renames it to `path` on success.

    Raises:
        FileExistsError: if `path` already exists.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} already exists")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=PARTIAL))
    try:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes readable JSON atomically; numpy scalars become plain numbers."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, default=plain) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file that a program wrote.

    Raises:
        KerasuiteError: if it is damaged.
        OSError: if it cannot be read.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        shown = printable(os.fspath(path))
        raise KerasuiteError(f"{shown}: is damaged, or no JSON file ({error})") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads an object from a JSON file that was fetched.

    Raises:
        KerasuiteError: if the file is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise KerasuiteError(f"{path}: is no JSON ({error}); fetch it again") from error
    if not isinstance(value, dict):
        raise KerasuiteError(f"{path}: holds no JSON object; fetch it again")
    return value


def plain(value: Any) -> Any:
    """The plain Python form of a numpy scalar or array, for `json.dumps(default=plain)`."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def printable(text: str) -> str:
    r"""A text of a user as it can be shown on one line of a terminal.

    Control characters, ends of lines, marks that turn the direction of writing and bytes that are
    no UTF-8 become escapes.

    >>> printable("a\udcff\x1b.png")
    'a\\udcff\\x1b.png'
    """
    return "".join(_escaped(c) if _is_hidden(c) else c for c in text)


def _is_hidden(character: str) -> bool:
    is_direction = character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return is_direction or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
