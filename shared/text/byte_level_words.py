r"""Texts to words as GPT-2's tokenizer sees them, in the graph.

The words are the matches, one behind the other, of the pattern

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

so that nothing of a text is lost: letters, numbers and other characters are words of their own,
with the blank before them; of more white space before a word all but the last character is one
word. RE2, TensorFlow's library of patterns, has no look-ahead `(?!\S)`. Whether a word begins at a
character depends only on the characters around it, so the cuts are computed for all at once.
"""

from typing import NamedTuple

import tensorflow as tf

from shared.text.unicode_classes import LETTER, PAGE, SPACE, character_classes

BLANK, APOSTROPHE = ord(" "), ord("'")
# What follows the apostrophe of a contraction.
ENDINGS = ("s", "t", "m", "d", "re", "ve", "ll")


class ByteLevelWords(NamedTuple):
    """The W words of N texts, which have K characters in all.

    Attributes:
        text: string (W,).
        row_splits: int64 (N + 1,). The words of text n are those from row_splits[n] on.
        splits: int64 (W + 1,). The characters of word w, of all texts in a row, are those from
            splits[w] on.
        text_splits: int64 (N + 1,). The characters of text n are those from text_splits[n] on.
    """

    text: tf.Tensor
    row_splits: tf.Tensor
    splits: tf.Tensor
    text_splits: tf.Tensor


class ByteLevelSplitter(tf.Module):
    """Cuts texts into words that joined are the text again.

    Call arguments:
        texts: string (N,). Each byte that is no UTF-8 counts as the character U+FFFD.

    Returns:
        The `ByteLevelWords`.

    Reference: [Radford et al., 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
    section 2.2
    """

    def __init__(self):
        super().__init__()
        pages, classes = character_classes()
        with tf.init_scope(), tf.device("CPU:0"):
            self._pages, self._classes = tf.constant(pages), tf.constant(classes.reshape(-1))

    def __call__(self, texts: tf.Tensor) -> ByteLevelWords:
        decoded = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        codes, text_splits = decoded.values, decoded.row_splits
        entries = tf.gather(self._pages, codes // PAGE) * PAGE + codes % PAGE
        classes = tf.gather(self._classes, entries)
        count = tf.size(codes, tf.int64)
        # Characters at which a text begins; behind the last of all, one for the empty texts there.
        begins_text = tf.scatter_nd(
            text_splits[:, None], tf.ones_like(text_splits, tf.int32), [count + 1]
        ) > 0  # fmt: skip
        begins = begins_word(codes, classes, begins_text)
        first = tf.where(begins)[:, 0]
        splits = tf.concat([first, [count]], 0)
        words = tf.RaggedTensor.from_row_splits(codes, splits, validate=False)
        row_splits = tf.searchsorted(first, text_splits, out_type=tf.int64)
        return ByteLevelWords(
            tf.strings.unicode_encode(words, "UTF-8"), row_splits, splits, text_splits
        )


def begins_word(codes: tf.Tensor, classes: tf.Tensor, begins_text: tf.Tensor) -> tf.Tensor:
    """Whether a word begins at each of K characters, which stand one behind the other.

    Args:
        codes: int32 (K,). Code points.
        classes: int8 (K,), see `character_classes`.
        begins_text: bool (K + 1,). Whether a text begins there, or ends before.

    Returns:
        bool (K,).
    """
    starts, ends = begins_text[:-1], begins_text[1:]
    is_space = classes == SPACE

    def before(values, steps=1):
        """The value of each character's predecessor in its text, else False or 0."""
        for _ in range(steps):
            values = tf.concat([tf.zeros([1], values.dtype), values], 0)[:-1]
            values = tf.where(starts, tf.zeros([], values.dtype), values)
        return values

    # White space: a run of it is a word, but its last character belongs to the word behind it.
    next_is_space = tf.concat([is_space[1:], [True]], 0) | ends
    space_begins = ~before(is_space) | ~next_is_space

    # Other characters: a run of one class is a word, unless a blank or a contraction is before it.
    same_class = before(classes + 1) == classes + 1
    after_blank = before(codes) == BLANK
    # An apostrophe of a run of other characters, or with a blank before it, is no contraction's.
    may_contract = (codes == APOSTROPHE) & ~same_class & ~after_blank
    within, behind = _contractions(codes, may_contract, before)
    other_begins = (~same_class & ~after_blank & ~within) | (behind & (classes == LETTER))
    return starts | tf.where(is_space, space_begins, other_begins)


def _contractions(codes: tf.Tensor, apostrophe: tf.Tensor, before) -> tuple[tf.Tensor, tf.Tensor]:
    """Which characters stand in a contraction behind its apostrophe, and which right behind it."""
    within = behind = tf.zeros_like(apostrophe)
    for ending in ENDINGS:
        letters = [ord(letter) for letter in ending]
        size = len(letters)
        last = before(apostrophe, size)
        for place, letter in enumerate(reversed(letters)):
            last &= (before(codes, place) if place else codes) == letter
        within |= last
        behind |= before(last)
        if size == 2:
            # Its first letter stands one before the last.
            within |= tf.concat([last[1:], [False]], 0)
    return within, behind
