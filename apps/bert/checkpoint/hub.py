"""BERT checkpoints of the Hugging Face Hub: hf:ORG/NAME or hf:ORG/NAME@REVISION."""

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.hugging_face import CONFIG, read_hugging_face
from apps.bert.checkpoint.sentence_transformers import MODULES
from apps.bert.checkpoint.vocabulary_files import VOCABULARY
from shared.common.hugging_face_hub import fetch
from shared.common.safetensors_files import FILES as WEIGHTS
from shared.text.added_tokens import ADDED, SETTINGS, TOKENIZER

# Nothing else is downloaded, above all no pickle.
FILES = (
    CONFIG, VOCABULARY, TOKENIZER, SETTINGS, *WEIGHTS, ADDED, MODULES, f"*_Pooling/{CONFIG}",
)  # fmt: skip


def read_hub(text: str) -> Checkpoint:
    """Downloads a checkpoint, unless it is in the local cache of the Hub, and reads it.

    Args:
        text: "hf:ORG/NAME" or "hf:ORG/NAME@REVISION", a branch, a tag or a commit.

    Raises:
        KerasuiteError: if it cannot be downloaded, or is not supported.
    """
    return read_hugging_face(fetch(text, FILES), text)
