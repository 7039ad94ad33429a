"""Sample data sets that need no network: made from what the installed packages carry."""

import importlib
from pathlib import Path

from shared.engine.config import did_you_mean
from shared.engine.errors import KerasuiteError

# Name to (place of the function that writes it, what it is for).
SAMPLES = {
    "digits": ("shared.samples.digits:write_digits", "handwritten digits, for classify"),
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
    folder.mkdir(parents=True, exist_ok=True)
    module, _, function = SAMPLES[name][0].partition(":")
    return getattr(importlib.import_module(module), function)(folder)
