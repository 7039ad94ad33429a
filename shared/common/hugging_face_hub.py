"""Files of the Hugging Face Hub: hf:ORG/NAME or hf:ORG/NAME@REVISION.

They are kept in the Hub's own cache (`HF_HOME`). The Hub's library goes on with a file where a
connection broke off, and begins it anew in another process.
"""

import errno
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError

PREFIX = "hf:"
NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
# The Hub names large files by their content.
SHA256 = re.compile("[0-9a-f]{64}")


def fetch(text: str, files: Sequence[str], offline: bool = False) -> Path:
    """Downloads files of a repository, unless they are in the local cache of the Hub.

    Args:
        text: "hf:ORG/NAME" or "hf:ORG/NAME@REVISION", a branch, a tag or a commit.
        files: names or patterns; nothing else is downloaded.
        offline: bool. Takes what is in the cache and asks no server.

    Returns:
        The folder that they are in.

    Raises:
        KerasuiteError: if it cannot be downloaded, or a file has not the content that it should.
    """
    match = NAME.fullmatch(text.removeprefix(PREFIX))
    if not match:
        raise KerasuiteError(f"{text}: is no name on the Hub; write hf:ORG/NAME[@REVISION]")
    folder = _download(text, match["name"], match["revision"], files, offline)
    for path in sorted(folder.rglob("*")):
        _check_content(path)
    return folder


def _download(
    text: str, name: str, revision: str | None, files: Sequence[str], offline: bool
) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        found = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=[*files], local_files_only=offline
        )
    except errors.GatedRepoError as error:
        raise KerasuiteError(
            f"{text}: asks for consent; give it on its page, then run `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise KerasuiteError(
            f"{text}: there is no such model, or it is private; check the name, or run "
            f"`hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise KerasuiteError(f"{text}: has no revision '{revision}'; check it") from error
    except errors.HFValidationError as error:
        raise KerasuiteError(f"{text}: is no name on the Hub ({error})") from error
    except (OSError, errors.HTTPError) as error:
        raise KerasuiteError(f"{text}: {_network_fault(error, offline)}") from error
    return Path(found)


def _network_fault(error: Exception, offline: bool) -> str:
    """One line about a download that failed."""
    from huggingface_hub import constants, errors

    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space is left for it in {constants.HF_HUB_CACHE}; free some or set HF_HOME to "
            f"another disk, and run this again: files that are whole are kept"
        )
    if "Consistency check" in str(error):
        return "a file has another size than the Hub says; it changed meanwhile: run this again"
    if offline:
        return "is not in this machine's cache; run this once without --offline"
    known = (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, errors.HTTPError)
    if isinstance(error, (*known, ConnectionError)):
        return (
            "the Hub cannot be reached, and the model is not in this machine's cache "
            f"({_cause(error)}); run this again once it can, or fetch the folder elsewhere and "
            f"give its path"
        )
    return f"cannot be kept in {constants.HF_HUB_CACHE} ({_cause(error)})"


def _cause(error: BaseException) -> str:
    """The first reason of an error, in one line: that of the system, below the library's own."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return (" ".join(str(error).split()) or type(error).__name__)[:200]


def _check_content(path: Path) -> None:
    """Raises KerasuiteError if a file of the cache is not the one that the Hub names."""
    blob = path.resolve()
    expected = named_sha256(path)
    if expected and sha256_of(blob) != expected:
        raise KerasuiteError(
            f"{path}: its SHA-256 is not {expected}, which the Hub says; it is damaged: remove "
            f"{blob} and fetch it again"
        )


def named_sha256(path: Path) -> str:
    """The SHA-256 by which the cache of the Hub names a file; "" where it has another name."""
    blob = path.resolve()
    is_named = blob.parent.name == "blobs" and SHA256.fullmatch(blob.name)
    return blob.name if is_named else ""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
