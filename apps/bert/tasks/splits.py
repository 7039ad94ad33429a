"""Training and validation files of a data set, or a split of its examples."""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from apps.bert.tasks.conll import ENDINGS
from apps.bert.tasks.examples import (
    ChoiceExample,
    Example,
    QuestionExample,
    TaggedSentence,
    TextExample,
)
from apps.bert.tasks.tables import CSV, JSON, TSV
from shared.common.errors import KerasuiteError
from shared.common.splits import TRAIN_NAMES, VALIDATION_NAMES

# In order of preference: GLUE's and SQuAD's dev first. testa is CoNLL-2003's development set,
# dev_matched MNLI's set with the genres of the training texts.
VALIDATION = (*reversed(VALIDATION_NAMES), "testa", "dev_matched", "eval")
READABLE = (*TSV, *CSV, *JSON, *ENDINGS)


def training_files(paths: Sequence[str | Path]) -> list[Path]:
    """The training files: files as named; of a folder its train.*, or its only file.

    Raises:
        KerasuiteError: if a path is missing, or a folder has no training file, or several.
    """
    if not paths:
        raise KerasuiteError("no DATA; name files (.tsv, .csv, .jsonl, CoNLL, SQuAD) or a folder")
    found = []
    for path in map(Path, paths):
        _check_exists(path)
        if not path.is_dir():
            found.append(path)
            continue
        files = _files(path)
        chosen = _of_split(files, TRAIN_NAMES, path) or (files[0] if len(files) == 1 else None)
        if chosen is None:
            names = ", ".join(file.name for file in files[:8]) or "no readable file"
            raise KerasuiteError(f"{path}: no train.* in it ({names}); name the files to train on")
        found.append(chosen)
    return found


def validation_files(paths: Sequence[str | Path], named: Sequence[str | Path]) -> list[Path]:
    """The named files, else the dev.*, validation.*, ... of the folders among `paths`.

    Raises:
        KerasuiteError: if a path is missing, or a named folder has no such file.
    """
    found = []
    for path in map(Path, named or [path for path in paths if Path(path).is_dir()]):
        _check_exists(path)
        if not path.is_dir():
            found.append(path)
            continue
        chosen = _of_split(_files(path), VALIDATION, path)
        if chosen is not None:
            found.append(chosen)
        elif named:
            raise KerasuiteError(f"{path}: no dev.* or validation.* in it; name the file")
    return found


def hold_out(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Splits examples into (train, validation).

    Questions about one article (one context where all are about the same), and examples with the
    same text, stay together.

    Args:
        examples: examples of at least two groups.
        share: float between 0 and 1. Share of the examples; at least one group is held out.
        seed: int. The same seed and examples give the same split.

    Raises:
        KerasuiteError: if all examples are of one group.
    """
    keys = [_group(example) for example in examples]
    if len(set(keys)) < 2:
        keys = [
            getattr(example, "context", key) for key, example in zip(keys, examples, strict=True)
        ]
    groups = list(dict.fromkeys(keys))
    if len(groups) < 2:
        raise KerasuiteError(
            "too few examples to hold some out: all have one text or article; give --validation"
        )
    sizes = dict.fromkeys(groups, 0)
    for key in keys:
        sizes[key] += 1
    held_out, count = set(), 0
    for number in np.random.default_rng(seed).permutation(len(groups))[:-1]:
        if count >= share * len(examples):
            break
        held_out.add(groups[number])
        count += sizes[groups[number]]
    parts = ([], [])
    for key, example in zip(keys, examples, strict=True):
        parts[key in held_out].append(example)
    return parts


def _group(example: Example) -> Hashable:
    match example:
        case TextExample():
            return example.text
        case ChoiceExample():
            return example.context
        case TaggedSentence():
            return example.words
        case QuestionExample():
            return example.title


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise KerasuiteError(f"{path}: no such file or folder; check the path")


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and _name_parts(path)
    )


def _of_split(files: list[Path], names: Sequence[str], folder: Path) -> Path | None:
    """The file of a split, by its names in order of preference: "dev.tsv", "eng.testa"."""
    for exact in (True, False):
        for name in names:
            fitting = [
                file
                for file in files
                if (name == _name_parts(file)[0] if exact else name in _name_parts(file))
            ]
            if len(fitting) > 1:
                found = ", ".join(file.name for file in fitting)
                raise KerasuiteError(f"{folder}: several {name} files ({found}); name one")
            if fitting:
                return fitting[0]
    return None


def _name_parts(path: Path) -> list[str]:
    """The stem of a file's name and its parts, among them a split; [] if not readable.

    >>> _name_parts(Path("train-v1.1.json"))
    ['train-v1.1', 'train', 'v1', '1']
    >>> _name_parts(Path("eng.testa"))
    ['eng.testa', 'eng', 'testa']
    """
    name = path.name.lower().removesuffix(".gz")
    ending = Path(name).suffix
    if ending in READABLE:
        name = name.removesuffix(ending)
    elif ending.removeprefix(".") not in TRAIN_NAMES + VALIDATION:
        return []
    return [name, *re.split(r"[-_.]", name)]
