"""`kerasuite classify check`: contents and problems of a data set."""

import hashlib
from collections import Counter, defaultdict

from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.files import (
    classes_without_images,
    find_files,
    labels_of,
    not_validated,
)
from apps.vision.classification.label_tables import found_kind
from shared.image.remarks import changed_pixels, unread_pictures
from shared.image.scan import scan_images
from shared.text.tables.label_sets import MULTILABEL, label_set_sizes


def describe(config: ClassifyConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the data of a configuration, a line each."""
    kind, notes = found_kind(config.data, config.data_options.kind)
    found = find_files(config.data, kind)
    paths = [file.path for file in found]
    scans = list(scan_images(paths, max_pixels=config.data_options.max_pixels))
    good = [(file, scan) for file, scan in zip(found, scans, strict=True) if not scan.problem]
    contents = [f"{len(found)} images, {len(good)} readable"]
    contents += [*notes, *_classes([file for file, _ in good], kind)]
    contents += _formats([scan.header for _, scan in good])
    contents += changed_pixels([scan.header for _, scan in good])
    problems = [
        f"{file.path}: {scan.problem}"
        for file, scan in zip(found, scans, strict=True)
        if scan.problem
    ]
    problems += unread_pictures(config.data)
    problems += classes_without_images(config.data, _counts(found, kind))
    problems += _small_classes(found, [file for file, _ in good], kind)
    problems += _not_validated([file for file, _ in good], kind)
    problems += _duplicates([file for file, _ in good])
    return contents, problems


def _counts(files, kind: str) -> Counter:
    """Images by class or label."""
    return Counter(label for file in files for label in labels_of(file, kind))


def _classes(files, kind: str) -> list[str]:
    counts = _counts(files, kind)
    splits = Counter(file.split or "not split" for file in files)
    lines = [f"{len(counts)} {'labels' if kind == MULTILABEL else 'classes'}"]
    lines += [f"  {name}: {n}" for name, n in sorted(counts.items())]
    if kind == MULTILABEL:
        lines.append(label_set_sizes([labels_of(file, kind) for file in files], "images"))
    return [*lines, "split: " + ", ".join(f"{name} {n}" for name, n in sorted(splits.items()))]


def _formats(headers) -> list[str]:
    if not headers:
        return []
    widths, heights = [h.width for h in headers], [h.height for h in headers]
    formats = Counter(header.format for header in headers)
    modes = Counter(header.mode for header in headers)
    return [
        "formats: " + ", ".join(f"{name} {n}" for name, n in formats.most_common()),
        "modes: " + ", ".join(f"{name} {n}" for name, n in modes.most_common()),
        f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels",
    ]


def _small_classes(found, good, kind: str) -> list[str]:
    readable = _counts(good, kind)
    problems = [
        f"class '{label}': {readable[label]} readable image(s), needs at least 2"
        for label in sorted(_counts(found, kind))
        if readable[label] < 2
    ]
    if len(readable) < 2 and kind != MULTILABEL:
        problems.append(f"{len(readable)} class(es) with readable images, needs at least 2")
    return problems


def _not_validated(files, kind: str) -> list[str]:
    if absent := not_validated(files, kind):
        return [f"classes without an image in the validation part: {', '.join(absent)}"]
    return []


def _duplicates(files) -> list[str]:
    """Files of equal content; worse where their labels or splits differ."""
    groups = defaultdict(list)
    for file in files:
        with open(file.path, "rb") as content:
            groups[hashlib.file_digest(content, "sha256").digest()].append(file)
    lines = []
    for group in (group for group in groups.values() if len(group) > 1):
        where = " = ".join(file.path for file in group)
        labels = {file.label for file in group}
        remark = f", with the labels {', '.join(sorted(labels))}" if len(labels) > 1 else ""
        leak = ", in both parts" if len({file.split for file in group}) > 1 else ""
        lines.append(f"same content: {where}{remark}{leak}")
    return lines
