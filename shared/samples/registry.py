"""Sample data sets that need no network: made from what the installed packages carry."""

import importlib
from pathlib import Path

from shared.common.config import did_you_mean
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder

# Name to (import path of the function that writes it, the task that it is for).
SAMPLES = {
    "digits": (
        "shared.samples.digits:write_digits",
        "handwritten digits, for classify and autoencoder",
    ),
    "digits-detection": (
        "shared.samples.digits_detection:write_digits_detection",
        "handwritten digits on cluttered pictures, for detect",
    ),
    "domains": (
        "shared.samples.domains:write_domains",
        "parts of photographs, and others by moonlight, for cyclegan",
    ),
    "corpus": ("shared.samples.corpus:write_corpus", "news articles, for embed and lm"),
    "numbers-en-zh": (
        "shared.samples.numbers_en_zh:write_numbers",
        "number words and Chinese numerals, for translate",
    ),
    "sentiment": (
        "shared.samples.sentiment:write_sentiment",
        "generated sentences, liked or not, for bert",
    ),
    "xor": ("shared.samples.xor:write_xor", "points that no line parts, for table"),
    "wine": ("shared.samples.wine:write_wine", "chemical analyses of wines, for table"),
    "series": ("shared.samples.series:write_series", "hourly series of two cities, for forecast"),
    "photos": ("shared.samples.photos:write_photos", "parts of photographs, for srgan"),
}


def write_sample(name: str, folder: Path) -> str:
    """Writes the sample `name` into a new or empty folder; returns a line about it.

    Raises:
        KerasuiteError: if the name is unknown or the folder holds something.
    """
    if name not in SAMPLES:
        raise KerasuiteError(
            f"samples {name}: unknown{did_you_mean(name, SAMPLES)}; one of {', '.join(SAMPLES)}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KerasuiteError(f"{folder}: is not empty; choose a new folder")
    module, _, function = SAMPLES[name][0].partition(":")
    if folder.exists():
        folder.rmdir()
    with atomic_folder(folder) as temporary:
        return getattr(importlib.import_module(module), function)(temporary)
