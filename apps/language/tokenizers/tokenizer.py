"""The contract of tokenizers: text to token ids and back, in the graph."""

import abc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from shared.text.special_tokens import END


class Tokenizer(tf.Module, abc.ABC):
    """Text to token ids and back; saved within a SavedModel.

    The tokens of two texts in a row are those of the joined text, if the second begins with all
    of the white space between them, a line end in it. Line ends are LF; CRLF counts as one.

    Args:
        file: path of the vocabulary that `learn` wrote.

    Attributes:
        vocabulary_size: int. Number of tokens, special ones included.

    Call arguments:
        text: string (N,). UTF-8; invalid bytes become U+FFFD.

    Returns:
        RaggedTensor int32 (N, None) without special tokens but `UNK`.
    """

    vocabulary_size: int

    @abc.abstractmethod
    def __init__(self, file: Path):
        super().__init__()

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return self.tokenize(tf.strings.regex_replace(text, "\r\n", "\n"))

    @abc.abstractmethod
    def tokenize(self, text: tf.Tensor) -> tf.RaggedTensor:
        """The tokens of texts (N,) with LF as their line ends."""

    @abc.abstractmethod
    def text_of(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """The texts (N,) of tokens int32 (N, None), which are no special ones."""

    def detokenize(self, tokens: tf.Tensor) -> tf.Tensor:
        """The texts (N,) of tokens int32 (N, T) up to the first `END`, without special tokens."""
        is_end = tf.cast(tokens == END, tf.int32)
        is_text = (tokens > END) & (tf.cumsum(is_end, axis=1) == 0)
        return self.text_of(tf.ragged.boolean_mask(tokens, is_text))

    @abc.abstractmethod
    def spellings(self, tokens: np.ndarray) -> list[str]:
        """Each of tokens int (T,) as it stands in a text, for people to read."""

    @classmethod
    @abc.abstractmethod
    def learn(cls, texts: Iterable[str], size: int, file: Path) -> None:
        """Learns a vocabulary and writes it into a file, of which tokenizers are made.

        Args:
            texts: pieces of a text that end with line ends, read once.
            size: int. Largest number of tokens, special ones included.
            file: to write.

        Raises:
            KerasuiteError: if no vocabulary of two tokens or of this size can be learnt.
        """

    @abc.abstractmethod
    def assets(self) -> dict[str, str]:
        """File name to text for `assets.extra/`: the vocabulary for people to read."""
