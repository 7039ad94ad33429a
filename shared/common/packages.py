"""Packages that not every installation has: imported, or named in one line."""

import importlib
from types import ModuleType

from shared.common.errors import KerasuiteError

TENSORFLOW_TEXT_MEND = (
    "`pip install tensorflow-text==2.21.1` on Linux or macOS; there is none for Windows, where "
    "the other tasks work (or use WSL 2)"
)


def require_package(module: str, needed_by: str, mend: str) -> ModuleType:
    """Imports a module of a package that may be missing.

    Args:
        module: its import path.
        needed_by: the command or option that needs it, the beginning of the message.
        mend: how to install it, or what to do where it cannot be installed.

    Raises:
        KerasuiteError: if the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise KerasuiteError(
            f"{needed_by}: needs the Python package {package}, which is not installed; {mend}"
        ) from error
