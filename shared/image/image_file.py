"""The image files of a data set, as a run lists them in `images.jsonl`."""

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from shared.common.checksums import verify_checksum, write_checksum
from shared.common.errors import KerasuiteError
from shared.common.files import write_text

IMAGES = "images.jsonl"  # in a run's folder: the images that it uses, written once


@dataclass(frozen=True)
class ImageFile:
    """An image on disk; applications add what they know of it.

    Attributes:
        path: path of the file.
        split: "train", "validation", or "" if not split yet.
        is_direct: whether the graph decodes the file's own bytes; otherwise Pillow reads it.
    """

    path: str
    split: str = field(default="", kw_only=True)
    is_direct: bool = field(default=True, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """Plain values, with an absolute path."""
        return dataclasses.asdict(replace(self, path=os.path.abspath(self.path)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The record of what `to_json` gave."""
        return cls(**values)


F = TypeVar("F", bound=ImageFile)


def write_images(files: Iterable[ImageFile], path: Path) -> None:
    """Writes one JSON object a line."""
    write_text(path, "".join(json.dumps(file.to_json()) + "\n" for file in files))
    write_checksum(path)


def read_images(file_type: type[F], path: Path) -> list[F]:
    """Reads what `write_images` wrote of records of one type."""
    verify_checksum(path)
    with open(path, encoding="utf-8") as lines:
        return [file_type.from_json(json.loads(line)) for line in lines]


def read_paths(path: Path) -> list[str]:
    """The paths of the images alone, and of the low-resolution images of pairs."""
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    lows = [row["low"] for row in rows if row.get("low")]
    return [row["path"] for row in rows + lows]


def of_split(files: Iterable[F], split: str) -> list[F]:
    """The files of one split, in their order."""
    return [file for file in files if file.split == split]


def check_present(files: Sequence[ImageFile]) -> None:
    """Raises KerasuiteError if a file of a run has gone since the run listed it."""
    for file in files:
        if not os.path.exists(file.path):
            raise KerasuiteError(f"{file.path}: is no longer there; the run needs it")
