"""The names of the files that predictions wrote, so that `--overwrite` removes those alone."""

import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path, PurePath

from shared.common.files import write_text

NAME = ".written"
# Logs and settings, of whole runs and of shards.
OWN = re.compile(
    r"(predictions|errors)(-\d+-of-\d+)?\.jsonl|predict(-\d+-of-\d+)?\.json|predictions\.csv"
    r"|\.done-\d+-of-\d+|\.written(-\d+-of-\d+)?"
)


class WrittenFiles:
    """A list of names below an output folder, one a line; from any thread.

    A name is noted before its file is written. After a kill some stand there twice and the last
    one may be torn; a run that ends leaves each once, in order.

    Args:
        folder: the output folder.
        ending: what tells shards apart, "" or "-2-of-4".
    """

    def __init__(self, folder: Path, ending: str = ""):
        self._path = folder / f"{NAME}{ending}"
        self._lock = threading.Lock()

    def note(self, name: str) -> None:
        """Adds a name. The line begins with its end, which closes a torn one before it."""
        if OWN.fullmatch(name):
            return
        with self._lock, open(self._path, "a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(name)}")

    def settle(self) -> None:
        """Leaves each name once, in order."""
        if self._path.exists():
            names = sorted(set(_names(self._path)))
            write_text(self._path, "\n".join(map(json.dumps, names)) + "\n")


def _names(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def remove_predictions(output: Path, ending: str = "") -> None:
    """Removes what predictions wrote into a folder, and folders that are empty then.

    Args:
        output: the folder.
        ending: removes only what this shard wrote, "-2-of-4"; by default all.
    """
    for noted in output.glob(f"{NAME}{ending or '*'}"):
        for name in filter(_is_inside, _names(noted)):
            (output / name).unlink(missing_ok=True)
            _remove_empty((output / name).parent, output)
    for path in list(output.iterdir()):
        if OWN.fullmatch(path.name) and f"{ending}." in f"{path.name}.":
            path.unlink()
    for left in output.glob(f".partial-predict{ending or '*'}"):
        shutil.rmtree(left, ignore_errors=True)


def _is_inside(name: object) -> bool:
    """Whether a name stays below the folder, whoever wrote the list."""
    parts = PurePath(name).parts if isinstance(name, str) else ()
    return bool(parts) and ".." not in parts and not PurePath(name).is_absolute()


def _remove_empty(folder: Path, output: Path) -> None:
    while folder != output and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
