"""Where exports go: names, versions, free space, and what is left when one fails."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow as tf

from shared.common.errors import KerasuiteError, from_os_error
from shared.engine.saved_model.saved_models import versions

# What graph, vocabularies and assets may need besides the weights.
SPARE_BYTES = 32 * 2**20
STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
ABANDONED_AFTER_SECONDS = 24 * 3600


def check_name(name: str, version: int | None) -> None:
    """Raises KerasuiteError for a name that is a path, or a version below 1."""
    if name in (".", "..") or Path(name).name != name:
        raise KerasuiteError(f"--name {name}: must be a plain folder name, without '/'")
    if version is not None and version < 1:
        raise KerasuiteError(f"--version {version}: must be 1 or more")


def check_target(
    folder: Path, needed_bytes: int = SPARE_BYTES, mend: str = "choose another --output"
) -> None:
    """Checks that a folder can take an export, before a model is loaded and traced.

    Args:
        folder: where the export goes; need not exist.
        needed_bytes: int. Its size, at most.
        mend: what the message tells the user to do about it.

    Raises:
        KerasuiteError: if the folder cannot be made or written, or the disk is too full.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise KerasuiteError(f"{existing}: is a file, not a folder; {mend}")
    try:
        # os.access does not see quotas, read-only mounts of some kinds and the like.
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=".partial-"))
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); {mend}"
        raise KerasuiteError(f"{existing}: {problem}") from error
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise KerasuiteError(
            f"{existing}: needs {needed_bytes / 1e6:,.0f} MB and has {free / 1e6:,.0f} MB free; "
            f"free some space or {mend}"
        )


def version_folder(parent: Path, version: int | None) -> Path:
    """The folder of a version that is not there yet; by default the next number."""
    version = version or max(versions(parent), default=0) + 1
    target = parent / str(version)
    if target.exists():
        raise KerasuiteError(f"{target}: already exists; leave --version out or choose another")
    return target


@contextlib.contextmanager
def clean_failure(base: Path, parents: Iterable[Path]) -> Iterator[None]:
    """Turns what storage may do into one line, and removes folders that stayed empty."""
    parents = list(parents)
    made = [folder for folder in (base.parent, base, *parents) if not folder.exists()]
    for parent in parents:
        _remove_abandoned(parent)
    try:
        yield
    except OSError as error:
        raise from_os_error(error) from error
    except tf.errors.OpError as error:
        raise _from_tensorflow(error, base) from error
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _from_tensorflow(error: tf.errors.OpError, base: Path) -> KerasuiteError:
    """TensorFlow's file operations tell the cause only within a longer text."""
    for code in STORAGE_ERRORS:
        if os.strerror(code) in str(error):
            return from_os_error(OSError(code, os.strerror(code), str(base)))
    reason = str(error).strip().splitlines()[0][:200]
    return KerasuiteError(f"{base}: the export could not be written: {reason}")


def _remove_abandoned(parent: Path) -> None:
    """Removes what an export that was killed long ago left beside the versions."""
    for folder in parent.glob(".partial-*"):
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
