"""Google's BERT checkpoints: bert_config.json, vocab.txt and a checkpoint of TensorFlow 1.

The releases of [google-research/bert](https://github.com/google-research/bert): BERT-base and
-large, whole-word masking, multilingual, Chinese, and the 24 small ones.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from apps.bert.checkpoint.checkpoint import Checkpoint, TokenizerSettings
from apps.bert.checkpoint.config_json import to_encoder_config, vocabulary_size
from apps.bert.checkpoint.names import WORD_EMBEDDINGS, google_name
from apps.bert.checkpoint.tokenizer_files import guess_lowercase, read_settings
from apps.bert.checkpoint.vocabulary_files import read_vocabulary
from shared.common.checkpoint_tensors import LazyTensors
from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.common.quiet import import_tensorflow
from shared.text.added_tokens import SETTINGS

if TYPE_CHECKING:
    import tensorflow as tf

CONFIG = "bert_config.json"
WEIGHTS = "bert_model.ckpt"
INDEX = ".index"
# Parts of the names of Google's releases, the first match counts, and whether their text is
# lower-cased (`validate_case_matches_checkpoint` in its tokenization.py).
CASES = {"uncased": True, "cased": False, "multilingual": True, "chinese": True}


def read_google(folder: Path) -> Checkpoint:
    """Reads a folder of a Google checkpoint; the weights are read when accessed.

    Raises:
        KerasuiteError: if a file is missing or damaged, or the weights are not BERT's.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise KerasuiteError(f"{folder}: has no {CONFIG}; unpack all files of the release there")
    values = read_json_object(path)
    # Its code knows one BERT, and has no epsilon in the file: 1e-12, the default here too.
    config = to_encoder_config(path, values)
    vocabulary = read_vocabulary(folder, vocabulary_size(path, values))
    prefix = _prefix(folder)
    tensors = LazyTensors(_readers(prefix))
    if WORD_EMBEDDINGS not in tensors:
        raise KerasuiteError(
            f"{prefix}: has no bert/embeddings/word_embeddings; give a checkpoint of "
            f"google-research/bert (TensorFlow 1), not one of Keras objects or of another model"
        )
    settings = _settings(folder, vocabulary)
    return Checkpoint(config, vocabulary, settings, tensors, str(folder))


def is_google(folder: Path) -> bool:
    """Whether the folder holds a TensorFlow checkpoint with a BERT's configuration."""
    return (folder / CONFIG).is_file() and any(folder.glob(f"*{INDEX}"))


def _settings(folder: Path, vocabulary: list[str]) -> TokenizerSettings:
    if (folder / SETTINGS).is_file():
        return read_settings(folder, vocabulary)
    name = folder.resolve().name.lower()
    for part, lowercase in CASES.items():
        if part in name:
            return TokenizerSettings(lowercase)
    return TokenizerSettings(guess_lowercase(vocabulary))


def _prefix(folder: Path) -> Path:
    """The checkpoint's name without ".index"."""
    found = sorted(folder.glob(f"*{INDEX}"))
    names = [path.name.removesuffix(INDEX) for path in found]
    if not names:
        raise KerasuiteError(
            f"{folder}: has no {WEIGHTS}{INDEX}; unpack all files of the release there"
        )
    if WEIGHTS in names:
        return folder / WEIGHTS
    if len(names) > 1:
        raise KerasuiteError(
            f"{folder}: has several checkpoints ({', '.join(names)}); leave one, or call it "
            f"{WEIGHTS}"
        )
    return folder / names[0]


def _readers(prefix: Path) -> dict[str, Callable[[], np.ndarray]]:
    import_tensorflow()
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
    except (tf.errors.OpError, LookupError, ValueError, RuntimeError) as error:
        raise _damaged(prefix, error) from error
    names = reader.get_variable_to_shape_map()
    # Moments of the optimiser and counters are not part of the model.
    wanted = (name for name in names if name.startswith(("bert/", "cls/")) and "adam_" not in name)
    return {google_name(name): _reader(prefix, reader, name) for name in wanted}


def _reader(
    prefix: Path, reader: "tf.train.CheckpointReader", name: str
) -> Callable[[], np.ndarray]:
    def read() -> np.ndarray:
        import tensorflow as tf

        try:
            array = reader.get_tensor(name)
        except (tf.errors.OpError, LookupError, ValueError, RuntimeError) as error:
            raise _damaged(prefix, error) from error
        array = np.asarray(array, np.float32)
        # The table has PyTorch's (out, in), and so has Google's next-sentence head.
        return array.T if name.endswith("/kernel") else array

    return read


def _damaged(prefix: Path, error: Exception) -> KerasuiteError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return KerasuiteError(f"{prefix}: cannot be read ({reason}); fetch it again, all its files")
