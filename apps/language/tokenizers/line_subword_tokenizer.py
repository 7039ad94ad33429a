"""Subwords of SentencePiece as tokens, line by line."""

from pathlib import Path
from typing import ClassVar

import tensorflow as tf

from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.text.special_tokens import END, PAD, START, UNK
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

# The piece of the byte LF. No text has it: SentencePiece reads control characters as spaces.
NEWLINE = END + 1 + ord("\n")
SHOWN = {PAD: "", START: "", END: "", UNK: "\ufffd", NEWLINE: "\n"}


class LineSubwordTokenizer(Tokenizer):
    """The pieces of each line, with the piece of the byte LF between lines.

    Each line is read as SentencePiece reads a sentence: characters are composed, white space of
    any kind and length becomes one space, and none stands at the ends.

    Args:
        file: path of a SentencePiece model.
    """

    kind: ClassVar[str]

    def __init__(self, file: Path):
        super().__init__(file)
        self._subwords = SubwordTokenizer(file.read_bytes())
        self.vocabulary_size = self._subwords.vocabulary_size

    def tokenize(self, text):
        lines = tf.strings.split(text, "\n")
        pieces = self._subwords(lines.flat_values)
        ends = tf.fill([pieces.nrows(out_type=tf.int32), 1], NEWLINE)
        ended = tf.concat([pieces, ends], axis=1)
        # A line end between lines, and none behind the last.
        return tf.RaggedTensor.from_row_splits(ended, lines.row_splits).merge_dims(1, 2)[:, :-1]

    def text_of(self, tokens):
        # A piece that begins a word begins with a space; so does the first of a line.
        return tf.strings.regex_replace(self._subwords.raw_text(tokens), "\n ", "\n")

    def spellings(self, tokens):
        pieces = self._subwords.pieces(tokens)
        return [
            SHOWN[token] if token in SHOWN else _spelling(token, piece)
            for token, piece in zip(map(int, tokens), pieces, strict=True)
        ]

    @classmethod
    def learn(cls, texts, size, file):
        lines = [line for text in texts for line in text.split("\n")]
        if len(set("".join(lines))) < 2:
            raise KerasuiteError(
                "the training text has less than two different characters, so there is nothing to "
                "learn; give other text"
            )
        model = train_tokenizer(lines, cls.kind, size)
        with atomic_path(file) as temporary:
            temporary.write_bytes(model)

    def assets(self):
        every = range(self.vocabulary_size)
        return {"pieces.txt": "".join(f"{piece}\n" for piece in self._subwords.pieces(every))}


def _spelling(token: int, piece: str) -> str:
    """A piece as text; a byte of a longer character by its number, as SentencePiece names it."""
    byte = token - END - 1
    return chr(byte) if byte < 128 else piece.replace("▁", " ")


class UnigramTokenizer(LineSubwordTokenizer):
    """Subwords that a unigram model chooses.

    Reference: [Kudo, 2018](https://arxiv.org/abs/1804.10959)
    """

    kind = "unigram"


class BpeTokenizer(LineSubwordTokenizer):
    """Subwords by merging frequent pairs.

    Reference: [Sennrich et al., 2016](https://arxiv.org/abs/1508.07909)
    """

    kind = "bpe"
