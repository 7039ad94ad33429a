"""The files of a data set to train on and to validate on, found by their names."""

import re
from collections.abc import Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.splits import TRAIN_NAMES, VALIDATION_NAMES

# In order of preference: GLUE's and SQuAD's dev first. testa is CoNLL-2003's development set,
# dev_matched MNLI's set with the genres of the training texts.
VALIDATION = (*reversed(VALIDATION_NAMES), "testa", "dev_matched", "eval")


class SplitFiles:
    """Finds the files of each split among files and folders.

    Args:
        endings: of the files that are read, such as (".csv", ".tsv"), each also with .gz.
        reads: description of these files, for messages.
    """

    def __init__(self, endings: Sequence[str], reads: str):
        self.endings, self.reads = tuple(endings), reads

    def training(self, paths: Sequence[str | Path]) -> list[Path]:
        """The training files: files as named; of a folder its train.*, or its only file.

        Raises:
            KerasuiteError: if a path is missing, or a folder has no training file, or several.
        """
        if not paths:
            raise KerasuiteError(f"no DATA; name files ({self.reads}) or a folder")
        found = []
        for path in map(Path, paths):
            _check_exists(path)
            if not path.is_dir():
                found.append(path)
                continue
            files = self._files(path)
            only = files[0] if len(files) == 1 else None
            chosen = self._of_split(files, TRAIN_NAMES, path) or only
            if chosen is None:
                names = ", ".join(file.name for file in files[:8]) or "no readable file"
                raise KerasuiteError(
                    f"{path}: no train.* in it ({names}); name the files to train on"
                )
            found.append(chosen)
        return found

    def validation(
        self, paths: Sequence[str | Path], named: Sequence[str | Path] = ()
    ) -> list[Path]:
        """The named files, else the dev.*, validation.*, ... of the folders among `paths`.

        Args:
            paths: the data to train on.
            named: files and folders that the user named.

        Raises:
            KerasuiteError: if a path is missing, or a named folder has no such file.
        """
        found = []
        for path in map(Path, named or [path for path in paths if Path(path).is_dir()]):
            _check_exists(path)
            if not path.is_dir():
                found.append(path)
                continue
            chosen = self._of_split(self._files(path), VALIDATION, path)
            if chosen is not None:
                found.append(chosen)
            elif named:
                raise KerasuiteError(f"{path}: no dev.* or validation.* in it; name the file")
        return found

    def _files(self, folder: Path) -> list[Path]:
        return sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and not path.name.startswith(".") and self.name_parts(path)
        )

    def _of_split(self, files: list[Path], names: Sequence[str], folder: Path) -> Path | None:
        """The file of a split, by its names in order of preference: "dev.tsv", "eng.testa"."""
        for exact in (True, False):
            for name in names:
                fitting = [
                    file
                    for file in files
                    if (
                        name == self.name_parts(file)[0] if exact else name in self.name_parts(file)
                    )
                ]
                if len(fitting) > 1:
                    found = ", ".join(file.name for file in fitting)
                    raise KerasuiteError(f"{folder}: several {name} files ({found}); name one")
                if fitting:
                    return fitting[0]
        return None

    def name_parts(self, path: Path) -> list[str]:
        """The stem of a file's name and its parts, among them a split; [] if not readable.

        >>> SplitFiles([".json"], "JSON").name_parts(Path("train-v1.1.json"))
        ['train-v1.1', 'train', 'v1', '1']
        >>> SplitFiles([".json"], "JSON").name_parts(Path("eng.testa"))
        ['eng.testa', 'eng', 'testa']
        """
        name = path.name.lower().removesuffix(".gz")
        ending = Path(name).suffix
        if ending in self.endings:
            name = name.removesuffix(ending)
        elif ending.removeprefix(".") not in TRAIN_NAMES + VALIDATION:
            return []
        return [name, *re.split(r"[-_.]", name)]


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise KerasuiteError(f"{path}: no such file or folder; check the path")
