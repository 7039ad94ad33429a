"""Files of the data that were added, changed or damaged since a run began."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.input_paths import files_below
from shared.image.image_file import IMAGES, read_paths
from shared.image.scan import scan_images


def changed_since(data: Sequence[str], moment: float) -> list[str]:
    """A line if files of the data are newer than a moment, as a resumed run will not use them.

    Args:
        data: files and folders.
        moment: float. Seconds, as of `os.path.getmtime`.
    """
    newer = [path for path in _files(data) if _changed(path) > moment]
    if not newer:
        return []
    return [
        f"{len(newer)} file(s) of the data are newer than the run, as {newer[0]}; it goes on with "
        f"the list of files that it began with"
    ]


def _files(data: Sequence[str]) -> Iterator[str]:
    for item in data:
        if os.path.isdir(item):
            yield from files_below(item)
        elif os.path.exists(item):
            yield item


def _changed(path: str) -> float:
    try:
        status = os.stat(path)
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)  # A copied file may keep its older mtime.


@contextlib.contextmanager
def damaged_images_named(folder: Path) -> Iterator[None]:
    """Turns the failure of a decoder, which does not say of what, into a line with the image.

    Args:
        folder: the run folder.
    """
    try:
        yield
    except tf.errors.OpError as error:
        for scan in scan_images(_image_paths(folder / IMAGES)):
            if scan.problem:
                raise KerasuiteError(f"{scan.path}: {scan.problem}; the run needs it") from error
        raise


def _image_paths(path: Path) -> list[str]:
    return read_paths(path) if path.is_file() else []
