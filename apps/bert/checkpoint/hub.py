"""Checkpoints of the Hugging Face Hub: hf:ORG/NAME or hf:ORG/NAME@REVISION."""

import re
from pathlib import Path

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import CONFIG, read_hugging_face
from apps.bert.checkpoint.safetensors_files import INDEX, WEIGHTS
from apps.bert.checkpoint.sentence_transformers import MODULES
from apps.bert.checkpoint.vocabulary_files import ADDED, SETTINGS, TOKENIZER, VOCABULARY
from shared.common.errors import KerasuiteError

PREFIX = "hf:"
NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
# Nothing else is downloaded, above all no pickle.
FILES = (
    CONFIG, VOCABULARY, TOKENIZER, SETTINGS, WEIGHTS, INDEX, "model-*-of-*.safetensors",
    ADDED, MODULES, f"*_Pooling/{CONFIG}",
)  # fmt: skip


def read_hub(text: str) -> Checkpoint:
    """Downloads a checkpoint, unless it is in the local cache of the Hub, and reads it.

    Args:
        text: "hf:ORG/NAME" or "hf:ORG/NAME@REVISION", a branch, a tag or a commit.

    Raises:
        KerasuiteError: if it cannot be downloaded, or is not supported.
    """
    match = NAME.fullmatch(text.removeprefix(PREFIX))
    if not match:
        raise KerasuiteError(f"{text}: is no name on the Hub; write hf:ORG/NAME[@REVISION]")
    return read_hugging_face(_fetch(text, match["name"], match["revision"]), text)


def _fetch(text: str, name: str, revision: str | None) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    try:
        folder = huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=FILES)
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
