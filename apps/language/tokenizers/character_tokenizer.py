"""Characters as tokens."""

from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.errors import KerasuiteError
from shared.common.files import read_json, write_json
from shared.text.special_tokens import END, UNK

FIRST = END + 1
REPLACEMENT = "\ufffd"


class CharacterTokenizer(Tokenizer):
    """One token for each character (Unicode code point) of the training text.

    Args:
        file: path of a JSON list of the characters.
    """

    def __init__(self, file: Path):
        super().__init__(file)
        self.characters: list[str] = sorted(read_json(file))
        self.vocabulary_size = FIRST + len(self.characters)
        self._codes = np.array([ord(character) for character in self.characters], np.int32)

    def tokenize(self, text):
        codes = tf.strings.unicode_decode(text, "UTF-8")
        known = tf.constant(self._codes)
        index = tf.searchsorted(known, codes.flat_values)
        index = tf.minimum(index, len(self.characters) - 1)
        is_known = tf.gather(known, index) == codes.flat_values
        return codes.with_flat_values(tf.where(is_known, index + FIRST, UNK))

    def text_of(self, tokens):
        codes = tf.gather(tf.constant(self._codes), tokens.flat_values - FIRST)
        return tf.strings.unicode_encode(tokens.with_flat_values(codes), "UTF-8")

    def spellings(self, tokens):
        names = {UNK: REPLACEMENT, END: ""}
        return [
            names.get(token, "") if token < FIRST else self.characters[token - FIRST]
            for token in map(int, tokens)
        ]

    @classmethod
    def learn(cls, texts, size, file):
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        if len(counts) < 2:
            only = f"only {next(iter(counts))!r}" if counts else "no character"
            raise KerasuiteError(
                f"{only} stands in the training text, so there is nothing to learn; give other text"
            )
        ordered = sorted(counts, key=lambda character: (-counts[character], character))
        write_json(file, sorted(ordered[: max(size - FIRST, 2)]))

    def assets(self):
        return {"characters.txt": " ".join(map(repr, self.characters)) + "\n"}
