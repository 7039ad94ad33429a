"""`kerasuite cyclegan check`: contents and problems of the data."""

import hashlib
from collections import Counter, defaultdict

from apps.generative.cyclegan.config import CycleGANConfig, DataConfig
from apps.generative.cyclegan.domains import DOMAINS, Found, find_files, usable_files
from shared.image.remarks import changed_pixels, unread_pictures


def describe(config: CycleGANConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the data of a configuration, a line each."""
    files = find_files(config.data)
    found = usable_files(files, config.data_options)
    contents = [f"{len(files)} images, {len(found.files)} usable"]
    contents += [line for domain in DOMAINS for line in _domain_lines(found, domain)]
    problems = [f"{path}: {reason}" for path, reason in found.skipped]
    problems += unread_pictures(config.data) + _small_domains(found)
    problems += _duplicates(found)
    contents += _small_images(found, config.data_options) + changed_pixels(found.headers)
    return contents, problems


def _domain_lines(found: Found, domain: str) -> list[str]:
    headers = [h for f, h in zip(found.files, found.headers, strict=True) if f.domain == domain]
    if not headers:
        return [f"domain {domain.upper()}: nothing usable"]
    splits = Counter(f.split or "not split" for f in found.files if f.domain == domain)
    widths, heights = [h.width for h in headers], [h.height for h in headers]
    return [
        f"domain {domain.upper()}: {len(headers)} images "
        f"({', '.join(f'{name} {n}' for name, n in sorted(splits.items()))})",
        f"  formats: {_counted(h.format for h in headers)}",
        f"  modes: {_counted(h.mode for h in headers)}",
        f"  width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels",
    ]


def _counted(values) -> str:
    return ", ".join(f"{value} {count}" for value, count in Counter(values).most_common())


def _small_domains(found: Found) -> list[str]:
    return [
        f"domain {domain.upper()}: {found.count(domain)} usable image(s), needs at least 2"
        for domain in DOMAINS
        if found.count(domain) < 2
    ]


def _small_images(found: Found, options: DataConfig) -> list[str]:
    """A line about images that are enlarged; with --resize none they are skipped already."""
    small = sum(min(header.width, header.height) < options.image_size for header in found.headers)
    if not small:
        return []
    return [f"{small} images are smaller than --image-size {options.image_size} and are enlarged"]


def _duplicates(found: Found) -> list[str]:
    """Lines about files of equal content, in both domains or both splits above all."""
    groups = defaultdict(list)
    for file in found.files:
        with open(file.path, "rb") as content:
            groups[hashlib.file_digest(content, "sha256").digest()].append(file)
    lines = []
    for group in (group for group in groups.values() if len(group) > 1):
        domains = " and in both domains" if len({file.domain for file in group}) > 1 else ""
        parts = " and in both parts" if len({file.split for file in group}) > 1 else ""
        lines.append(f"same content: {' = '.join(file.path for file in group)}{domains}{parts}")
    return lines
