"""Files of the Hugging Face Hub: hf:ORG/NAME or hf:ORG/NAME@REVISION."""

import re
from collections.abc import Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError

PREFIX = "hf:"
NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)


def fetch(text: str, files: Sequence[str]) -> Path:
    """Downloads files of a repository, unless they are in the local cache of the Hub.

    Args:
        text: "hf:ORG/NAME" or "hf:ORG/NAME@REVISION", a branch, a tag or a commit.
        files: names or patterns; nothing else is downloaded.

    Returns:
        The folder that they are in.

    Raises:
        KerasuiteError: if it cannot be downloaded.
    """
    match = NAME.fullmatch(text.removeprefix(PREFIX))
    if not match:
        raise KerasuiteError(f"{text}: is no name on the Hub; write hf:ORG/NAME[@REVISION]")
    name, revision = match["name"], match["revision"]
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=[*files])
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
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, ConnectionError) as error:
        raise KerasuiteError(
            f"{text}: the Hub cannot be reached, and the model is not in this machine's cache; "
            f"go online, or fetch the folder elsewhere and give its path"
        ) from error
    return Path(folder)
