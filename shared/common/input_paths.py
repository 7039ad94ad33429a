"""Files below folders and globs: each once, links followed, in the order of their names."""

import glob
import heapq
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.remote_paths import refuse_remote

# A path, its real path, and whether a symbolic link lies between the input and the file.
Found = tuple[str, str, bool]


def find_paths(
    items: Sequence[str], suffixes: Sequence[str] = (), output: str | os.PathLike | None = None
) -> tuple[str, list[str]]:
    """Lists files.

    Hidden files and the `output` folder are left out. A file that several ways lead to is taken
    once: as it is named, else by a way without links, else by the first way in order.

    Args:
        items: files, folders (recursive) and globs.
        suffixes: of the files that are taken from folders; empty takes every file.
        output: path or None. A folder to leave out.

    Returns:
        The common parent of all items, and the absolute paths in order.

    Raises:
        KerasuiteError: if an item is missing, is the output folder or holds no file to read.
    """
    output = None if output is None else os.path.realpath(output)
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    roots: list[str] = []
    paths: dict[str, str] = {}  # By real path.
    searches: list[Iterator[Found]] = []
    for item in items:
        path = os.path.abspath(item)
        if os.path.isdir(path):
            if os.path.realpath(path) == output:
                raise KerasuiteError(
                    f"{item} is both INPUT and --output; choose another folder for --output"
                )
            roots.append(path)
            looked_for = f"(looked for {', '.join(suffixes) or 'any name'})"
            nothing = f"INPUT folder {item} holds no file to read {looked_for}"
            searches.append(_not_empty(_files_below(path, suffixes, output), nothing))
        elif os.path.exists(path):
            roots.append(os.path.dirname(path))
            paths.setdefault(os.path.realpath(path), path)
        elif glob.has_magic(item):
            refuse_remote(item)
            parts = path.split(os.sep)
            fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
            roots.append(os.sep.join(parts[:fixed]) or os.sep)
            files = _glob_files(roots[-1], parts[fixed:], suffixes, output)
            searches.append(_not_empty(files, f"INPUT {item} matches no file; check the pattern"))
        else:
            refuse_remote(item)
            raise KerasuiteError(f"INPUT {item} does not exist; check the path")
    over_links: list[tuple[str, str]] = []
    for path, real, crossed in itertools.chain.from_iterable(searches):
        if crossed:
            over_links.append((path, real))
        else:
            paths.setdefault(real, path)
    for path, real in sorted(over_links, key=lambda pair: _by_components(pair[0])):
        paths.setdefault(real, path)
    return os.path.commonpath(roots) if roots else "", sorted(paths.values(), key=_by_components)


def files_below(folder: str | os.PathLike, suffixes: Sequence[str] = ()) -> list[str]:
    """Lists the files of a data set below a folder, in order.

    Links to folders are followed, each folder is entered once, by a way without links if there
    is one. Hidden files and what a Mac packs into `__MACOSX` are left out.

    Args:
        folder: a folder.
        suffixes: such as (".jpg", ".png"), in any case; empty takes every file.
    """
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    found = (path for path, _, _ in _files_below(os.fspath(folder), suffixes, None))
    return sorted(found, key=_by_components)


def folders_in(folder: str | os.PathLike) -> list[str]:
    """Lists the folders in a folder by the same rules, in order."""
    inside = (entry.path for entry in os.scandir(folder) if _is_shown(entry) and _is_folder(entry))
    return sorted(inside)


def _by_components(path: str) -> str:
    """Sort key: a separator comes before every character of a name."""
    return path.replace(os.sep, "\0")


def _not_empty(files: Iterator[Found], message: str) -> Iterator[Found]:
    first = next(files, None)
    if first is None:
        raise KerasuiteError(message)
    yield first
    yield from files


def _glob_files(
    root: str, pattern: list[str], suffixes: tuple[str, ...], output: str | None
) -> Iterator[Found]:
    """The files that a glob matches, and those below the folders that it matches."""
    real_root = os.path.realpath(root)
    for path in _matches(root, pattern, output):
        below = os.path.normpath(os.path.join(real_root, os.path.relpath(path, root)))
        crossed = os.path.realpath(path) != below
        if os.path.isdir(path):
            for file, real, link in _files_below(path, suffixes, output):
                yield file, real, crossed or link
        else:
            yield path, _real(path), crossed


def _matches(folder: str, pattern: list[str], output: str | None) -> Iterator[str]:
    """Files and folders that match a glob below a folder.

    `glob` itself takes a link to a folder above it for ever new folders where `**` is; here this
    stands for the folders that `_folders` enters.
    """
    start = pattern.index("**") if "**" in pattern else len(pattern)
    matches = glob.glob(os.path.join(glob.escape(folder), *pattern[:start])) if start else [folder]
    rest = pattern[start + 1 :]
    if not rest:
        yield from matches
        return
    for match in matches:
        for inside, *_ in _folders(match, output):
            yield from _matches(inside, rest, output)


def _files_below(root: str, suffixes: tuple[str, ...], output: str | None) -> Iterator[Found]:
    """The files below a folder that are not hidden, in any order."""
    for folder, real, crossed, entries in _folders(root, output):
        if entries is None:
            yield folder, real, crossed  # Reading it will say what is wrong.
            continue
        for entry in entries:
            if suffixes and not entry.name.lower().endswith(suffixes):
                continue
            # Broken links, pipes and devices too: reading one says what is wrong with it.
            if entry.is_symlink():
                yield entry.path, _real(entry.path), True
            else:
                path = entry.path if real == folder else os.path.join(real, entry.name)
                yield entry.path, path, crossed


def _folders(
    root: str, output: str | None
) -> Iterator[tuple[str, str, bool, list[os.DirEntry] | None]]:
    """A folder and those below it, each entered once, those behind links last.

    Args:
        root: the folder.
        output: real path of a folder to leave out.

    Yields:
        Its path, its real path, whether a link below the root was crossed, and its entries
        without folders and hidden files; None where it cannot be read.
    """
    folders = [(root, os.path.realpath(root), False)]
    links: list[tuple[str, str]] = []
    # A link to a folder above the root would lead around in a circle.
    entered = {output, *map(str, Path(folders[0][1]).parents)}
    while folders or links:
        if not folders:
            _, path = heapq.heappop(links)
            folders.append((path, os.path.realpath(path), True))
        folder, real, crossed = folders.pop()
        if real in entered:
            continue
        entered.add(real)
        try:
            entries = [entry for entry in os.scandir(folder) if _is_shown(entry)]
        except OSError:
            yield folder, real, crossed, None
            continue
        yield folder, real, crossed, [entry for entry in entries if not _is_folder(entry)]
        for entry in filter(_is_folder, entries):
            if entry.is_symlink():
                heapq.heappush(links, (_by_components(entry.path), entry.path))
            else:
                folders.append((entry.path, os.path.join(real, entry.name), crossed))


def _is_shown(entry: os.DirEntry) -> bool:
    return not entry.name.startswith(".") and entry.name != "__MACOSX"


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _real(path: str) -> str:
    """The real path of a file, or that of a broken link itself."""
    if os.path.exists(path):
        return os.path.realpath(path)
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)
