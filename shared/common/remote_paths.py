"""Inputs that lie on another machine: refused with what to do instead."""

import re

from shared.common.errors import KerasuiteError

# What copies files from there; a path that went through pathlib has one slash.
_COPY = {
    "gs": "gcloud storage cp -r",
    "s3": "aws s3 cp --recursive",
    "http": "curl -LO",
    "https": "curl -LO",
}
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


def refuse_remote(path: str) -> None:
    """Raises KerasuiteError if a path is an address such as gs://, s3:// or https://.

    >>> refuse_remote("C:/photos")
    >>> refuse_remote("hf:org/name")
    """
    found = _ADDRESS.match(path)
    if found is None:
        return
    scheme = found[1].lower()
    address = re.sub(r":/+", "://", path, count=1)
    command = f" (`{_COPY[scheme]} {address}`)" if scheme in _COPY else ""
    raise KerasuiteError(
        f"{address}: only files of this machine are read; copy them here{command} and name the copy"
    )
