"""Reads how a folder of sentence-transformers makes vectors of sentences.

modules.json lists what follows the encoder: 1_Pooling with its config.json, and 2_Normalize.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.common.messages import warn

MODULES, CONFIG = "modules.json", "config.json"
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


@dataclasses.dataclass(frozen=True)
class SentenceVectors:
    """How a model makes a vector of a text.

    Attributes:
        pooling: "mean" over the word pieces of the last layer, or "cls", its first position.
        normalize: bool. Whether the vector has length 1.
    """

    pooling: str = "mean"
    normalize: bool = False

    def __str__(self) -> str:
        return f"{self.pooling}{', of length 1' if self.normalize else ''}"


def read_sentence_vectors(folder: Path) -> SentenceVectors | None:
    """The sentence vectors of a folder; None without a modules.json.

    Warns of what is not supported, and left out: other poolings, other modules.

    Raises:
        KerasuiteError: if a file is damaged or missing.
    """
    path = folder / MODULES
    if not path.is_file():
        return None
    pooling, normalize = "mean", False
    for kind, name in _modules(path):
        if kind == "Pooling":
            pooling = _pooling(folder / name / CONFIG)
        elif kind == "Normalize":
            normalize = True
        elif kind != "Transformer":
            warn(f"{path}: the module {kind} is not supported and left out of sentence vectors")
    return SentenceVectors(pooling, normalize)


def _modules(path: Path) -> list[tuple[str, str]]:
    """(kind, folder) of each module."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        found = [(m["type"].rpartition(".")[2], m["path"]) for m in modules]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise KerasuiteError(f"{path}: is no list of modules ({error}); fetch it again") from error
    for _, name in found:
        # A name must not point outside the folder.
        if not isinstance(name, str) or "/" in name or "\\" in name or name == "..":
            raise KerasuiteError(f"{path}: {name!r} is no folder beside it; fetch it again")
    return found


def _pooling(path: Path) -> str:
    if not path.is_file():
        raise KerasuiteError(f"{path}: is missing, but {MODULES} names it; fetch it again")
    modes = _modes(read_json_object(path))
    if len(modes) == 1 and modes[0] in POOLINGS:
        return POOLINGS[modes[0]]
    names = " and ".join(modes) or "none"
    warn(f"{path}: the pooling ({names}) is not supported; the mean over word pieces is used")
    return "mean"


def _modes(values: dict[str, Any]) -> list[str]:
    return [name for name, on in values.items() if name.startswith("pooling_mode_") and on]
