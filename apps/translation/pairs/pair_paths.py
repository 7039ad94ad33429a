"""Files of sentence pairs, and the languages that their endings tell."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.text.language_codes import main_language

_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-zA-Z0-9]+)*")
_TSV = ("tsv", "tab")
_NO_SIDE = ("bz2", "cfg", "csv", "ini", "log", "md", "npy", "py", "sh", "tar", "xml", "xz", "zip")
_NO_LANGUAGE = (*_TSV, *_NO_SIDE, "txt", "src", "tgt", "ref", "hyp", "tok", "raw", "bpe")


@dataclasses.dataclass(frozen=True)
class PairFiles:
    """Two line-aligned files, or one TSV (then `target` is None).

    Attributes:
        source, target: paths.
        languages: (source, target), "" where the endings do not tell.
    """

    source: Path
    target: Path | None = None
    languages: tuple[str, str] = ("", "")


def find_files(
    paths: Sequence[str], named: tuple[str, str], parts: Sequence[str]
) -> list[PairFiles]:
    """The pairs of files that paths name.

    Folders and TSV files stand for themselves, other files in twos: SOURCE TARGET.

    Args:
        paths: files and folders.
        named: the languages that the user named, or "".
        parts: which set of a folder is wanted ("train", ...), the first that is there.

    Raises:
        KerasuiteError: if a path is missing, or it is not clear which files belong together.
    """
    if not paths:
        raise KerasuiteError("no DATA; name two line-aligned files, a .tsv file or a folder")
    found, alone = [], []
    for path in map(Path, paths):
        if not path.exists():
            raise KerasuiteError(f"{path}: no such file or folder; check the path")
        if path.is_dir():
            found.append(_in_folder(path, named, parts))
        elif ending(path) in _TSV or len(paths) == 1:
            found.append(PairFiles(path, languages=named))
        else:
            alone.append(path)
    if len(alone) % 2:
        raise KerasuiteError(
            f"{alone[-1]}: has no partner; name files in twos, SOURCE TARGET, or TSV files that "
            f"end with .tsv"
        )
    found += [_two(*two, named) for two in zip(alone[::2], alone[1::2], strict=True)]
    return found


def _two(source: Path, target: Path, named: tuple[str, str]) -> PairFiles:
    """Two files in the order of their languages, where these are known, or as they are named."""
    languages = _language(ending(source)), _language(ending(target))
    if all(languages) and not _fits(languages, named) and _fits(languages[::-1], named):
        source, target, languages = target, source, languages[::-1]
    return PairFiles(source, target, languages)


def _fits(languages: tuple[str, str], named: tuple[str, str]) -> bool:
    return all(
        not name or name == found or main_language(name) == main_language(found) != ""
        for name, found in zip(named, languages, strict=True)
    )


def _in_folder(folder: Path, named: tuple[str, str], parts: Sequence[str]) -> PairFiles:
    sets = _sets(folder)
    for part in parts:
        known = [name for name in sets if name == part or name.startswith((f"{part}_", f"{part}-"))]
        if len(known) > 1 and part not in known:
            raise KerasuiteError(f"{folder}: which of {', '.join(known)}? Name the files instead")
        if known:
            name = part if part in known else known[0]
            return _of_set(folder, name, sets[name], named)
    # Of a folder with one set only, this is meant, whatever its name.
    if len(sets) == 1:
        return _of_set(folder, *next(iter(sets.items())), named)
    raise KerasuiteError(
        f"{folder}: has no {parts[0]}.tsv and no {parts[0]}.LANGUAGE files, such as "
        f"{parts[0]}.en with {parts[0]}.de; " + _listing("there is", sets)
    )


def find_in_folder(folder: Path, named: tuple[str, str], parts: Sequence[str]) -> PairFiles | None:
    """The first set with exactly one of the names `parts`, or None."""
    sets = _sets(folder)
    name = next((part for part in parts if part in sets), None)
    return _of_set(folder, name, sets[name], named) if name else None


def _of_set(folder: Path, name: str, sides: dict[str, Path], named: tuple[str, str]) -> PairFiles:
    if "" in sides:
        return PairFiles(sides[""], languages=named)
    if not any(map(_language, sides)):
        named = ("", "")  # Sides called src and tgt have any language.
    for option, wanted in zip(("--source", "--target"), named, strict=True):
        if wanted and wanted not in sides:
            raise KerasuiteError(
                f"{option} {wanted}: {folder} has no {name}.{wanted}; " + _listing("it has", sides)
            )
    rest = [side for side in sorted(sides) if side not in named]
    source = named[0] or (rest.pop(0) if len(sides) == 2 and rest else "")
    target = named[1] or (rest.pop(0) if len(sides) == 2 and rest else "")
    if not source or not target or source == target:
        raise KerasuiteError(
            f"{folder}: which two languages? " + _listing(f"{name} has", sides) + "; name two "
            "with --source and --target"
        )
    languages = _language(source), _language(target)
    return PairFiles(sides[source], sides[target], languages)


def _sets(folder: Path) -> dict[str, dict[str, Path]]:
    """{"train": {"en": path, "de": path}, "val": {"": path of a TSV}, ...} of a folder."""
    sets: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        side = ending(path)
        if path.name.startswith(".") or not path.is_file() or not side:
            continue
        name = _without_packing(path)[: -len(side) - 1]
        if side in _TSV:
            sets.setdefault(name, {}).setdefault("", path)
        elif _LANGUAGE.fullmatch(side) and side not in _NO_SIDE:
            sets.setdefault(name, {}).setdefault(side, path)
    return {name: sides for name, sides in sets.items() if "" in sides or len(sides) > 1}


def ending(path: Path) -> str:
    """The ending of a file name, without .txt and .gz: "en" of train.en.txt.gz."""
    return _without_packing(path).rpartition(".")[2] if "." in _without_packing(path) else ""


def _without_packing(path: Path) -> str:
    name = path.name
    for packing in (".gz", ".txt"):
        name = name[: -len(packing)] if name.lower().endswith(packing) else name
    return name


def _language(side: str) -> str:
    return side if _LANGUAGE.fullmatch(side) and side not in _NO_LANGUAGE else ""


def _listing(words: str, names: Iterable[str]) -> str:
    return f"{words} {', '.join(sorted(names)) or 'none'}"
