"""Scans many image files quickly: their headers, and which of them would fail in training."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from shared.image.reader import DEFAULT_MAX_PIXELS, ImageHeader, UnreadableImage, load_image


class ScannedImage(NamedTuple):
    """One file: its header, or its problem; exactly one of the two is None."""

    path: str
    header: ImageHeader | None
    problem: str | None


def scan_images(paths, threads=8, max_pixels=DEFAULT_MAX_PIXELS):
    """Checks files on threads, each as thoroughly as `read_image` does.

    Args:
        paths: iterable of paths.
        threads: int. Decoders release Python's lock, so threads help up to the number of cores.
        max_pixels: int. Larger images count as a problem.

    Yields:
        ScannedImage, in the order of `paths`, as soon as each is known.
    """
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda path: scan_image(path, max_pixels), paths)


def scan_image(path, max_pixels=DEFAULT_MAX_PIXELS):
    """Checks one file; see `scan_images`."""
    if not _is_utf8(str(path)):
        return ScannedImage(str(path), None, "its name is not UTF-8")
    try:
        _, header = load_image(path, max_pixels)
    except UnreadableImage as error:
        return ScannedImage(str(path), None, error.reason)
    return ScannedImage(str(path), header, None)


def _is_utf8(path):
    """TensorFlow and the tables of runs take no other names."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
