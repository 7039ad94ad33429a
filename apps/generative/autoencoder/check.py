"""`kerasuite autoencoder check`: contents and problems of the data."""

from collections import Counter

from apps.generative.autoencoder.config import AutoencoderConfig
from apps.generative.autoencoder.pictures import (
    Pictures,
    large_code,
    left_outside,
    read_pictures,
    resized_pictures,
    turned_grey,
)
from shared.image.remarks import changed_pixels, unread_pictures


def describe(config: AutoencoderConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the data of a configuration, a line each."""
    found = read_pictures(config.data, config.data_options)
    options = config.data_options
    channels, side = found.channels(options.colour), options.image_size
    contents = [
        f"{len(found.files) + len(found.skipped)} pictures, {len(found.files)} readable",
        *_sizes(found),
        f"coded as {side} x {side} pixels, {'grey' if channels == 1 else 'in colour'}",
        *resized_pictures(found.headers, options),
        *turned_grey(found, channels),
        *changed_pixels(found.headers),
        *left_outside(found),
    ]
    problems = [f"{path}: {reason}" for path, reason in found.skipped]
    problems += unread_pictures(config.data)
    if len(found.files) < 2:
        problems.append("1 readable picture, needs at least 2")
    problems += large_code(config.model.code, side, channels)
    return contents, problems


def _sizes(found: Pictures) -> list[str]:
    splits = Counter(file.split or "not split" for file in found.files)
    folders = {file.label for file in found.files}
    widths, heights = ([getattr(h, side) for h in found.headers] for side in ("width", "height"))
    return [
        "split: " + ", ".join(f"{name} {n}" for name, n in sorted(splits.items())),
        f"folders: {len(folders)}",
        "formats: " + _counted(header.format for header in found.headers),
        "modes: " + _counted(header.mode for header in found.headers),
        f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels",
    ]


def _counted(values) -> str:
    return ", ".join(f"{value} {count}" for value, count in Counter(values).most_common())
