"""Bytes and merged bytes as tokens: the vocabulary of an imported GPT-2."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.errors import KerasuiteError
from shared.common.files import read_json, write_json
from shared.text.byte_level_bpe import ByteLevelBpe, byte_characters, token_bytes
from shared.text.byte_level_files import ByteLevelVocabulary
from shared.text.special_tokens import END

# Bytes that no UTF-8 has. Their tokens, which no text gives, are PAD, UNK and START here: every
# row of the embedding keeps its meaning, and every probability is that of the imported model.
UNUSED_BYTES = (0xC0, 0xC1, 0xF5)


class ByteLevelTokenizer(Tokenizer):
    """Byte-level BPE; the token that ends a text is `END` here, and all other ids move up.

    Args:
        file: path of what `write_vocabulary` wrote.
    """

    def __init__(self, file: Path):
        super().__init__(file)
        values = read_json(file)
        vocabulary = ByteLevelVocabulary(values["tokens"], [tuple(p) for p in values["merges"]])
        self._bpe = ByteLevelBpe(*vocabulary)
        self.vocabulary_size = len(vocabulary.names)
        self._own = row_order(vocabulary.names, values["end"])
        # As an attribute itself, it would be saved with the model, name by name.
        self._vocabulary = lambda: vocabulary
        with tf.init_scope():
            self._theirs = tf.constant(self._own)
            self._ours = tf.constant(np.argsort(self._own).astype(np.int32))

    @property
    def vocabulary(self) -> ByteLevelVocabulary:
        """Names and merges, with the ids of the model that was imported."""
        return self._vocabulary()

    @property
    def order(self) -> np.ndarray:
        """Int32 (V,): the imported model's id of each token here."""
        return self._own

    def tokenize(self, text):
        tokens = self._bpe(text)
        return tokens.with_flat_values(tf.gather(self._ours, tokens.flat_values))

    def text_of(self, tokens):
        theirs = tokens.with_flat_values(tf.gather(self._theirs, tokens.flat_values))
        # A model may write bytes that are no character.
        text = self._bpe.detokenize(theirs)
        return tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")

    def spellings(self, tokens):
        names = self.vocabulary.names
        return [
            "" if token <= END else token_bytes(names[self._own[token]]).decode("utf-8", "replace")
            for token in map(int, tokens)
        ]

    @classmethod
    def learn(cls, texts, size, file):
        raise KerasuiteError(
            "--vocabulary byte-bpe: comes with the model that --init names, see `kerasuite lm "
            "import`; to learn subwords of this text, use --vocabulary bpe"
        )

    def assets(self):
        names = self.vocabulary.names
        return {"tokens.txt": "".join(f"{names[token]}\n" for token in self._own)}


def write_vocabulary(vocabulary: ByteLevelVocabulary, end: int, file: Path) -> None:
    """Writes the file that a tokenizer is made of.

    Args:
        vocabulary: of the imported model.
        end: int. Id of the token that ends a text.
        file: to write.
    """
    write_json(
        file, {"end": end, "tokens": vocabulary.names, "merges": [[*m] for m in vocabulary.merges]}
    )


def row_order(names: list[str], end: int) -> np.ndarray:
    """The imported model's id of each token: int32 (V,).

    Args:
        names: its tokens.
        end: int. Its id of the token that ends a text.
    """
    characters = byte_characters()
    special = [*(names.index(characters[byte]) for byte in UNUSED_BYTES), end]
    others = np.setdiff1d(np.arange(len(names)), special)
    return np.concatenate([special, others]).astype(np.int32)
