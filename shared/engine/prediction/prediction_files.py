"""Files that batch inference writes beside its lines: whole or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from shared.common.errors import KerasuiteError, from_os_error
from shared.common.inputs import Source
from shared.engine.prediction.written_files import WrittenFiles


class PredictionFiles:
    """Writes files below the output folder, from any thread.

    Temporary files lie in one hidden folder, so that a resumed run can remove what a killed
    one left without searching all results, and without touching those of another shard.

    Args:
        folder: the output folder.
        ending: str. What tells shards apart, "" or "-2-of-4".
    """

    def __init__(self, folder: Path, ending: str = ""):
        self._folder = folder
        self._temporary = folder / f".partial-predict{ending}"
        self._written = WrittenFiles(folder, ending)

    def __enter__(self) -> "PredictionFiles":
        shutil.rmtree(self._temporary, ignore_errors=True)
        return self

    def __exit__(self, *exception) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)

    def settle(self) -> None:
        """Called when all is written."""
        self._written.settle()

    def write_all(self, source: Source, files: Mapping[str, bytes]) -> KerasuiteError | None:
        """Writes all files of one source; returns what rejects the source, if anything."""
        for name, content in files.items():
            try:
                self.write(source, name, [content])
            except _Rejected as error:
                return KerasuiteError(str(error))
        return None

    def write(self, source: Source | None, name: str, chunks: Iterable[bytes]) -> None:
        """Writes one file.

        Args:
            source: what it was made from, if anything; never overwritten.
            name: str. Path relative to the output folder.
            chunks: the content.

        Raises:
            KerasuiteError: if the folder cannot be written or the file is the source.
            ValueError: if `name` leads out of the output folder.
        """
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise ValueError(f"{name} leads out of the output folder")
        target = self._folder / name
        if source is not None and source.path is not None:
            self._keep_source(source.path, target)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._written.note(name)
            self._replace(target, chunks)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise _Rejected(f"{target.name}: the result's name is too long") from error
            error.filename = str(target)
            raise from_os_error(error) from error

    def _replace(self, target: Path, chunks: Iterable[bytes]) -> None:
        self._temporary.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._temporary)
        try:
            with open(handle, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(handle)
            os.chmod(temporary, 0o666 & ~_UMASK)
            os.replace(temporary, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _keep_source(self, path: Path, target: Path) -> None:
        try:
            same = os.path.samefile(path, target)
        except OSError:
            return
        if same:
            raise KerasuiteError(
                f"--output {self._folder} would overwrite the input {path}; choose another --output"
            )


class _Rejected(KerasuiteError):
    """This source only cannot be written."""


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # Read once: setting it back and forth is not safe between threads.
