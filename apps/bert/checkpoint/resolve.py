"""Opens the checkpoints that `--init` and `import` name."""

import dataclasses
from pathlib import Path

from apps.bert.checkpoint import google, hub, minilm
from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import CONFIG, read_hugging_face
from shared.common import safetensors_files
from shared.common.errors import KerasuiteError
from shared.common.hugging_face_hub import PREFIX


def resolve_checkpoint(
    text: str, lowercase: bool | None = None, offline: bool = False
) -> Checkpoint:
    """Opens a checkpoint.

    Args:
        text: "minilm", "hf:ORG/NAME[@REVISION]", or a folder of Hugging Face or of Google.
        lowercase: whether text is lower-cased; None: as the checkpoint says.
        offline: see `fetch`.

    Raises:
        KerasuiteError: if it is none of these, or is damaged or not supported.
    """
    checkpoint = _read(text, offline)
    if lowercase is None:
        return checkpoint
    if checkpoint.merges:
        raise KerasuiteError(
            f"{text}: its byte-level tokens are never lower-cased; leave out --lowercase"
        )
    settings = dataclasses.replace(checkpoint.settings, lowercase=lowercase)
    return dataclasses.replace(checkpoint, settings=settings)


def _read(text: str, offline: bool) -> Checkpoint:
    if text == minilm.NAME:
        return minilm.read_minilm()
    if text.startswith(PREFIX):
        return hub.read_hub(text, offline)
    return _read_folder(Path(text))


def _read_folder(folder: Path) -> Checkpoint:
    if folder.is_file():
        raise _is_file(folder)
    if not folder.is_dir():
        raise KerasuiteError(
            f"{folder}: no such folder; give {minilm.NAME}, hf:ORG/NAME or a checkpoint's folder"
        )
    # Some folders hold the model in both formats: Hugging Face's comes first if it is readable.
    hugging_face = (folder / CONFIG).is_file()
    if google.is_google(folder) and not (hugging_face and safetensors_files.has_tensors(folder)):
        return google.read_google(folder)
    if hugging_face:
        return read_hugging_face(folder)
    if (folder / google.CONFIG).is_file():
        return google.read_google(folder)
    raise KerasuiteError(
        f"{folder}: is no checkpoint: it has neither {CONFIG} and {safetensors_files.WEIGHTS} "
        f"(Hugging Face) nor {google.CONFIG} and {google.WEIGHTS}{google.INDEX} (Google)"
    )


def _is_file(path: Path) -> KerasuiteError:
    if path.suffix in safetensors_files.PICKLES:
        return safetensors_files.refuse_pickle(path)
    return KerasuiteError(f"{path}: is a file; give its folder")
