"""`kerasuite gan check`: contents and problems of the data."""

import hashlib
from collections import Counter, defaultdict

from apps.generative.gan.config import GANConfig
from apps.generative.gan.pictures import (
    Picture,
    Pictures,
    changed_sizes,
    channels_of,
    class_names,
    refuse_too_few,
    usable_pictures,
)
from shared.common.errors import KerasuiteError
from shared.image.remarks import changed_pixels, unread_pictures


def describe(config: GANConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the data of a configuration, a line each."""
    options = config.data_options
    found = usable_pictures(config.data, options)
    contents = [f"{len(found.files) + len(found.skipped)} pictures, {len(found.files)} usable"]
    if found.files:
        contents += _picture_lines(found, channels_of(found.headers, options))
    contents += _class_lines(found.files)
    contents += changed_sizes(found.headers, options) + changed_pixels(found.headers)
    problems = [f"{path}: {reason}" for path, reason in found.skipped]
    problems += unread_pictures(config.data) + _duplicates(found.files)
    try:
        refuse_too_few(found, options)
    except KerasuiteError as error:
        problems.append(str(error))
    return contents, problems


def _picture_lines(found: Pictures, channels: int) -> list[str]:
    headers = found.headers
    widths, heights = [h.width for h in headers], [h.height for h in headers]
    return [
        f"formats: {_counted(h.format for h in headers)}",
        f"modes: {_counted(h.mode for h in headers)}; trained on in "
        f"{'grey' if channels == 1 else 'colour'}",
        f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels",
    ]


def _class_lines(files: list[Picture]) -> list[str]:
    if not class_names(files):
        return ["no classes"]
    counts = Counter(file.label for file in files)
    return [f"{len(counts)} classes: {_counted(file.label for file in files)}"]


def _counted(values) -> str:
    counts = Counter(values).most_common()
    more = f" and {len(counts) - 20} more" if len(counts) > 20 else ""
    return ", ".join(f"{value} {count}" for value, count in counts[:20]) + more


def _duplicates(files: list[Picture]) -> list[str]:
    """Lines about files of equal content."""
    groups = defaultdict(list)
    for file in files:
        with open(file.path, "rb") as content:
            groups[hashlib.file_digest(content, "sha256").digest()].append(file.path)
    return [f"same content: {' = '.join(group)}" for group in groups.values() if len(group) > 1]
