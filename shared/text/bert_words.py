"""Texts to words as BERT's tokenizers see them, in the graph, with the way back to the text.

White space ends a word; punctuation and Chinese characters are words of their own. The tables of
`bert_characters` say it of each character.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from shared.text.bert_characters import ALONE, LETTER, PAGE, REMOVED, SPACE, character_tables


class Words(NamedTuple):
    """The W words of N texts, which have K characters in all.

    Attributes:
        text: string (W,).
        row_splits: int64 (N + 1,). The words of text n are those from row_splits[n] on.
        splits: int64 (W + 1,). The characters of word w are those from splits[w] on.
        codes: int32 (K,). Code points of the characters.
        source: int32 (K,). The index of each in its text: counts the text's characters, as it
            was given, from 0.
    """

    text: tf.Tensor
    row_splits: tf.Tensor
    splits: tf.Tensor
    codes: tf.Tensor
    source: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """int64 (W,). Characters of each word."""
        return self.splits[1:] - self.splits[:-1]


class WordSplitter(tf.Module):
    """Cuts texts into words.

    Args:
        lowercase, strip_accents, isolate_chinese: bools, see `character_tables`.

    Call arguments:
        texts: string (N,). Bytes that are no UTF-8 count as one character each, and are left out.

    Returns:
        The `Words`.
    """

    def __init__(self, lowercase: bool, strip_accents: bool, isolate_chinese: bool):
        super().__init__()
        self._set_tables(*character_tables(lowercase, strip_accents, isolate_chinese))

    def _set_tables(self, pages: np.ndarray, shifts: np.ndarray, classes: np.ndarray) -> None:
        self._max_length = classes.shape[1]
        with tf.init_scope(), tf.device("CPU:0"):
            self._pages = tf.constant(pages)
            self._shifts = tf.constant(shifts.reshape(-1))
            self._classes = tf.constant(classes)

    def __call__(self, texts: tf.Tensor) -> Words:
        decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes, classes, origin = self._replace(decoded.values)
        row = tf.gather(decoded.value_rowids(), origin)
        source = tf.cast(origin - tf.gather(decoded.row_splits, row), tf.int32)

        # A word begins at each character that is one, and where letters begin.
        same_row = tf.concat([[False], row[1:] == row[:-1]], 0)
        after_letter = tf.concat([[False], classes[:-1] == LETTER], 0) & same_row
        begins = (classes == ALONE) | ((classes == LETTER) & ~after_letter)

        visible = tf.where(classes != SPACE)[:, 0]
        codes, source = tf.gather(codes, visible), tf.gather(source, visible)
        first = tf.where(tf.gather(begins, visible))[:, 0]
        splits = tf.concat([first, [tf.size(codes, tf.int64)]], 0)
        ragged = tf.RaggedTensor.from_row_splits(codes, splits, validate=False)
        text = tf.strings.unicode_encode(ragged, "UTF-8")
        row_of_word = tf.gather(tf.gather(row, visible), first)
        row_splits = tf.searchsorted(row_of_word, tf.range(tf.size(texts, tf.int64) + 1))
        return Words(text, tf.cast(row_splits, tf.int64), splits, codes, source)

    def _replace(self, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The K characters that replace M: code points, classes, indices into the M, (K,) each."""
        entry = tf.gather(self._pages, codes // PAGE) * PAGE + codes % PAGE
        classes = tf.gather(self._classes, entry)
        kept = tf.where(classes != REMOVED)
        origin, number = kept[:, 0], tf.cast(kept[:, 1], tf.int32)
        entry = tf.gather(entry, origin) * self._max_length + number
        codes = tf.gather(codes, origin) + tf.gather(self._shifts, entry)
        return codes, tf.boolean_mask(classes, classes != REMOVED), origin
