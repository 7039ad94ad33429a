"""BERT checkpoints of the Hugging Face Hub: hf:ORG/NAME or hf:ORG/NAME@REVISION."""

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import CONFIG, read_hugging_face
from apps.bert.checkpoint.sentence_transformers import MODULES
from apps.bert.checkpoint.tokenizer_files import PIECES
from apps.bert.checkpoint.vocabulary_files import VOCABULARY
from shared.common.hugging_face_hub import fetch
from shared.common.safetensors_files import FILES as WEIGHTS
from shared.common.weights_origin import CARD
from shared.text.added_tokens import ADDED, SETTINGS, TOKENIZER
from shared.text.byte_level_files import MERGES
from shared.text.byte_level_files import VOCABULARY as BYTE_LEVEL

# Nothing else is downloaded, above all no pickle.
FILES = (
    CARD, CONFIG, VOCABULARY, PIECES, BYTE_LEVEL, MERGES, TOKENIZER, SETTINGS, *WEIGHTS, ADDED,
    MODULES, f"*_Pooling/{CONFIG}",
)  # fmt: skip


def read_hub(text: str, offline: bool = False) -> Checkpoint:
    """Downloads a checkpoint, unless it is in the local cache of the Hub, and reads it.

    Args:
        text: "hf:ORG/NAME" or "hf:ORG/NAME@REVISION", a branch, a tag or a commit.
        offline: see `fetch`.

    Raises:
        KerasuiteError: if it cannot be downloaded, or is not supported.
    """
    return read_hugging_face(fetch(text, FILES, offline), text)
