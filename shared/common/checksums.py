"""Checksums beside prepared files, so that training does not go on with damaged ones."""

import hashlib
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.files import write_text

SUFFIX = ".sha256"


def write_checksum(path: Path) -> None:
    """Writes the checksum of a finished file beside it."""
    write_text(path.with_name(path.name + SUFFIX), _checksum(path) + "\n")


def verify_checksum(path: Path, mend: str = "train again") -> None:
    """Compares a file with the checksum beside it, if there is one.

    Args:
        path: the file.
        mend: what to do about a damaged one, for the message.

    Raises:
        KerasuiteError: if it has changed since.
    """
    beside = path.with_name(path.name + SUFFIX)
    if beside.is_file() and beside.read_text().strip() != _checksum(path):
        raise KerasuiteError(f"{path}: is damaged (its checksum is another); {mend}")


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
