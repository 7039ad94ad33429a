"""Words as tokens: what stands between white space, and line ends."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from apps.language.tokenizers.tokenizer import Tokenizer
from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.names import read_names
from shared.text.line_tables import line_by_number, number_by_line
from shared.text.special_tokens import END, UNK

NEWLINE = END + 1
FIRST = NEWLINE + 1
# A word of the text that is this name stands for an unknown word, as in WikiText.
UNKNOWN = "<unk>"
_BLANKS = "[ \t\r\f\v]+"
_WORD = re.compile(r"[^ \t\r\f\v\n]+")


class WordTokenizer(Tokenizer):
    """One token for each frequent word, one for a line end, and `UNK` for all other words.

    Words are joined by single spaces: other white space of the text is not kept. Punctuation is a
    word of its own where spaces stand around it, as in texts that were prepared for this.

    Args:
        file: path of a file with a word a line; becomes an asset.
    """

    def __init__(self, file: Path):
        super().__init__(file)
        self.words: Sequence[str] = read_names(file)
        self.vocabulary_size = FIRST + len(self.words)
        self._ids = number_by_line(file, default=UNK - FIRST)
        self._words = line_by_number(file)

    def tokenize(self, text):
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        text = tf.strings.regex_replace(text, _BLANKS, " ")
        text = tf.strings.regex_replace(text, "\n", " \n ")
        words = tf.strings.split(text, " ")
        words = tf.ragged.boolean_mask(words, words != "")
        ids = tf.cast(self._ids.lookup(words.flat_values), tf.int32) + FIRST
        return words.with_flat_values(tf.where(words.flat_values == "\n", NEWLINE, ids))

    def text_of(self, tokens):
        numbers = tf.cast(tokens.flat_values - FIRST, tf.int64)
        words = tf.where(tokens.flat_values == NEWLINE, "\n", self._words.lookup(numbers))
        text = tf.strings.reduce_join(tokens.with_flat_values(words), axis=-1, separator=" ")
        return tf.strings.regex_replace(text, " *\n *", "\n")

    def spellings(self, tokens):
        names = {UNK: f"{UNKNOWN} ", END: "", NEWLINE: "\n"}
        return [
            names.get(token, "") if token < FIRST else f"{self.words[token - FIRST]} "
            for token in map(int, tokens)
        ]

    @classmethod
    def learn(cls, texts, size, file):
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_WORD.findall(text))
        del counts[UNKNOWN]
        if not counts:
            raise KerasuiteError(
                "no word stands in the training text, so there is nothing to learn; give other text"
            )
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        write_text(file, "\n".join(ordered[: max(size - FIRST, 1)]) + "\n")

    def assets(self):
        return {"words.txt": "".join(f"{word}\n" for word in self.words)}
