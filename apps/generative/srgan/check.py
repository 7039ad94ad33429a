"""`kerasuite srgan check`: contents and problems of the data."""

from collections import Counter

from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.pictures import read_pictures
from shared.image.remarks import changed_pixels, unread_pictures


def describe(config: SrganConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the data of a configuration, a line each."""
    options, scale = config.data_options, config.model.scale
    found = read_pictures(config.data, scale, options.crop_size, options.max_pixels)
    pictures, headers = found.pictures, found.headers
    paired = sum(bool(picture.low) for picture in pictures)
    contents = [f"{len(pictures)} usable images, {paired} of them with a low-resolution file"]
    if headers:
        formats, modes = (Counter(getattr(h, name) for h in headers) for name in ("format", "mode"))
        widths, heights = [h.width for h in headers], [h.height for h in headers]
        crops = sum(picture.width * picture.height for picture in pictures) / options.crop_size**2
        contents += [
            "formats: " + ", ".join(f"{name} {n}" for name, n in formats.most_common()),
            "modes: " + ", ".join(f"{name} {n}" for name, n in modes.most_common()),
            f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels",
            f"they hold {crops:,.0f} crops of {options.crop_size} pixels",
        ]
    contents += changed_pixels(headers)
    problems = unread_pictures(config.data) + [
        f"{path}: {reason}" for path, reason in found.skipped
    ]
    if options.crop_size % scale:
        problems.append(f"--crop-size {options.crop_size} is no multiple of --scale {scale}")
    if len(pictures) < 2:
        problems.append(
            f"{len(pictures)} usable image(s): at least 2 are needed, or --validation FOLDER"
        )
    return contents, problems
