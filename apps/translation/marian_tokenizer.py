"""Tokens of Marian models: two SentencePiece models and a vocabulary of its own, in the graph."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import sentencepiece
import tensorflow as tf

from shared.common.files import read_json, write_json
from shared.text.special_tokens import END, PAD, UNK
from shared.text.subword_tokenizer import clean_text
from shared.text.tensorflow_text import tf_text

SPACE = "▁"


@dataclass(frozen=True)
class MarianVocabulary:
    """Tokens of one side of a Marian model, in the order of its files.

    Attributes:
        names: of tokens by id; "" for ids without a token.
        pad, unk, end: ids of the special ones.
    """

    names: list[str]
    pad: int
    unk: int
    end: int

    @property
    def order(self) -> np.ndarray:
        """The model's id of each of our tokens, int32 (V + 1,).

        Special tokens come first. Marian's decoder begins with the padding token, which so stands
        in it twice: as PAD and as START.
        """
        special = [self.pad, self.unk, self.pad, self.end]
        others = [number for number in range(len(self.names)) if number not in special]
        return np.array([*special, *others], np.int32)


class MarianTokenizer(tf.Module):
    """Converts sentences to token ids and back, in the graph; saved within a SavedModel.

    A text is cut by the SentencePiece model of its language; the ids are those of the vocabulary,
    which both languages may share. A text that begins with `>>xyz<<` begins with this token, by
    which models with several target languages know the one to write.

    Args:
        model: bytes. A SentencePiece model.
        vocabulary: the tokens.

    Call arguments:
        text: string (N,).

    Returns:
        RaggedTensor int32 (N, None) without the end; empty rows for empty texts.

    Reference: [Junczys-Dowmunt et al., 2018](https://arxiv.org/abs/1804.00344)
    """

    def __init__(self, model: bytes, vocabulary: MarianVocabulary):
        super().__init__()
        self.model, self.vocabulary = model, vocabulary
        order = vocabulary.order
        self.vocabulary_size = len(order)
        self._names = [vocabulary.names[number] for number in order]
        # The padding token is named once.
        known = {name: number for number, name in reversed([*enumerate(self._names)]) if name}
        name = f"sentencepiece_{hashlib.sha256(model).hexdigest()[:16]}_strings"
        # The operations have no kernels for other devices.
        with tf.init_scope(), tf.device("CPU:0"):
            # Strings, as a character that this language has no piece for may be a token of the
            # other one.
            self._cut = tf_text.SentencepieceTokenizer(model=model, out_type=tf.string, name=name)
            self._table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    list(known), np.array(list(known.values()), np.int32)
                ),
                UNK,
            )
            self._strings = tf.constant(self._names)
            self._texts = tf.constant(_texts(model, self._names))

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        has_code = tf.strings.regex_full_match(text, "(?s)>>.*?<<.*")
        code = tf.strings.regex_replace(text, "(?s)^(>>.*?<<).*$", r"\1")
        rest = tf.strings.regex_replace(text, "(?s)^>>.*?<<", "")
        with tf.device("CPU:0"):
            codes = tf.ragged.boolean_mask(self._table.lookup(code)[:, None], has_code[:, None])
            pieces = self._cut.tokenize(tf.where(has_code, rest, text))
            tokens = tf.ragged.map_flat_values(self._table.lookup, pieces)
        return tf.concat([codes, tokens], axis=1)

    def detokenize(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """The text of token ids.

        Args:
            ids: int32 (N, T), dense or ragged. Tokens after the first end of a row are left out,
                and so are the special tokens.

        Returns:
            String (N,), one line of valid UTF-8 each.
        """
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD)
        ended = tf.cumsum(tf.cast(ids == END, tf.int32), axis=1) > 0
        spelled = tf.where((ids > END) & ~ended, tf.gather(self._texts, ids), "")
        return clean_text(tf.strings.reduce_join(spelled, axis=1))

    def piece_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """The names of token ids int32 of any shape, as strings, in the graph."""
        return tf.gather(self._strings, ids)

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The names of token ids (T,), outside the graph."""
        return [self._names[number] for number in ids]


def _texts(model: bytes, names: list[str]) -> list[bytes]:
    """The bytes of each token; a name such as <0xE4> is a byte if it is one in the model."""
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    numbers = range(library.vocab_size())
    bytes_ = {library.id_to_piece(n): n for n in numbers if library.is_byte(n)}
    return [
        bytes([int(name[3:-1], 16)]) if name in bytes_ else name.replace(SPACE, " ").encode()
        for name in names
    ]


def write_vocabularies(path: Path, source: MarianVocabulary, target: MarianVocabulary) -> None:
    """Writes the vocabularies of both sides, one if they share it."""
    sides = [source] if source == target else [source, target]
    write_json(path, [asdict(side) for side in sides])


def read_vocabularies(path: Path) -> tuple[MarianVocabulary, MarianVocabulary]:
    """Reads what `write_vocabularies` wrote."""
    sides = [MarianVocabulary(**side) for side in read_json(path)]
    return sides[0], sides[-1]
