"""Byte-level BPE in the graph: GPT-2's tokens, equal to those of Hugging Face's tokenizer.

A text is cut into words, a word into the bytes of its UTF-8 code, and the pair of neighbours that
was learnt first is merged to one token again and again, until no pair of the word was learnt. As
every byte is a token, no text is unknown, and nothing of a text is lost.

tensorflow-text has no operation for this. Here all words of a batch are merged at once, each word
that occurs repeatedly once.
"""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.text.byte_level_words import ByteLevelSplitter, ByteLevelWords

NO_RANK = np.iinfo(np.int32).max


def byte_characters() -> list[str]:
    """The character that stands for each byte in the names of tokens, as in GPT-2's files.

    Visible characters of Latin-1 stand for themselves, other bytes for those from U+0100 on.

    >>> "".join(byte_characters()[byte] for byte in b"a b\\n")
    'aĠbĊ'
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (code for code in range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


@functools.cache
def _byte_of_character() -> dict[str, int]:
    return {character: byte for byte, character in enumerate(byte_characters())}


def token_bytes(name: str) -> bytes:
    """The bytes of a token; a name with characters that stand for none is text itself."""
    numbers = _byte_of_character()
    if all(character in numbers for character in name):
        return bytes(numbers[character] for character in name)
    return name.encode("utf-8", "replace")


class ByteLevelBpe(tf.Module):
    """Converts texts to token ids and back, in the graph; saved within a SavedModel.

    Args:
        vocabulary: the names of tokens, by id; "" for ids without a token. In a name
            each character stands for a byte, see `byte_characters`.
        merges: pairs of names, in the order in which they were learnt.

    Call arguments:
        texts: string (N,). Each byte that is no UTF-8 counts as the character U+FFFD.

    Returns:
        RaggedTensor int32 (N, None); empty rows for empty texts. No text gives a token that is no
        byte and that no merge makes, such as `<|endoftext|>`: its name is spelled as any text.

    Raises:
        KerasuiteError: if the vocabulary lacks a byte, or the merges name tokens that it lacks.

    Reference: [Sennrich et al., 2016](https://arxiv.org/abs/1508.07909);
    [Radford et al., 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)
    """

    def __init__(self, vocabulary: Sequence[str], merges: Sequence[tuple[str, str]]):
        super().__init__()
        bytes_, pairs, merged = check_vocabulary(vocabulary, merges)
        self.vocabulary_size = len(vocabulary)
        self._split = ByteLevelSplitter()
        # A pair of tokens as one number.
        keys = pairs[:, 0].astype(np.int64) * self.vocabulary_size + pairs[:, 1]
        ranks = np.arange(len(keys), dtype=np.int32)
        # The operations have no kernels for other devices.
        with tf.init_scope(), tf.device("CPU:0"):
            self._bytes = tf.constant(bytes_)
            self._merged = tf.constant(np.append(merged, 0).astype(np.int32))
            self._texts = tf.constant([token_bytes(name) for name in vocabulary])
            self._ranks = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, ranks), NO_RANK
            )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words, tokens = self.tokens_of_words(texts)
        splits = tf.gather(tokens.row_splits, words.row_splits)
        return tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)

    def tokens_of_words(self, texts: tf.Tensor) -> tuple[ByteLevelWords, tf.RaggedTensor]:
        """The words of texts, and the tokens int32 (W, None) of each word."""
        # Many small steps with a table that has no kernel for other devices.
        with tf.device("CPU:0"):
            words = self._split(texts)
            distinct, index = tf.unique(words.text, tf.int64)
            return words, tf.gather(self._merge(*self._spell(distinct)), index)

    def byte_lengths(self, ids: tf.Tensor) -> tf.Tensor:
        """The number of bytes that each token spells, int32."""
        return tf.strings.length(tf.gather(self._texts, ids))

    def detokenize(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """The bytes of token ids int (N, None), string (N,); those of some ids are no UTF-8."""
        return tf.strings.reduce_join(tf.gather(self._texts, ids), axis=-1)

    def _spell(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The bytes of U words as tokens int32 (M,), and the word of each, int64 (M,)."""
        joined = tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8)
        lengths = tf.strings.length(words)
        word = tf.repeat(tf.range(tf.size(words, tf.int64)), lengths)
        return tf.gather(self._bytes, tf.cast(joined, tf.int32)), word

    def _merge(self, tokens: tf.Tensor, word: tf.Tensor) -> tf.RaggedTensor:
        """Merges the tokens of U words, until no pair of neighbours can be.

        Each round merges the earliest pair of every word, wherever it stands in it; words that
        have none are put aside.

        Args:
            tokens: int32 (M,).
            word: int64 (M,). The word of each, in ascending order.

        Returns:
            RaggedTensor int32 (U, None).
        """
        count = tf.reduce_max(tf.concat([[0], word + 1], 0))

        def round_(tokens, word, done_tokens, done_word):
            rank = self._rank_of_pairs(tokens, word)
            best = tf.math.unsorted_segment_min(rank, word, count)
            is_merged = (rank == tf.gather(best, word)) & (rank < NO_RANK)
            is_merged = _every_other(is_merged, tokens)
            merged = tf.gather(self._merged, tf.where(is_merged, rank, 0))
            tokens = tf.where(is_merged, merged, tokens)
            # The second token of a pair is gone.
            is_left = ~tf.concat([[False], is_merged], 0)[:-1]
            active = tf.gather(best, word) < NO_RANK
            on, off = tf.where(active & is_left)[:, 0], tf.where(~active)[:, 0]
            return (
                tf.gather(tokens, on),
                tf.gather(word, on),
                tf.concat([done_tokens, tf.gather(tokens, off)], 0),
                tf.concat([done_word, tf.gather(word, off)], 0),
            )

        some = tf.TensorShape([None])
        *_, tokens, word = tf.while_loop(
            lambda tokens, *_: tf.size(tokens) > 0,
            round_,
            (tokens, word, tokens[:0], word[:0]),
            shape_invariants=(some, some, some, some),
            parallel_iterations=1,
        )
        order = tf.argsort(word, stable=True)
        return tf.RaggedTensor.from_value_rowids(
            tf.gather(tokens, order), tf.gather(word, order), count, validate=False
        )

    def _rank_of_pairs(self, tokens: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        """When the pair of each token and the next was learnt: int32 (M,), NO_RANK if never."""
        right = tf.concat([tokens[1:], [0]], 0)
        same_word = tf.concat([word[1:] == word[:-1], [False]], 0)
        keys = tf.cast(tokens, tf.int64) * self.vocabulary_size + tf.cast(right, tf.int64)
        return self._ranks.lookup(tf.where(same_word, keys, -1))


def _every_other(is_merged: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Without the pairs that share a token with the pair before them, as in "aaa".

    Args:
        is_merged: bool (M,). Whether a token and the next are a pair.
        tokens: int32 (M,).
    """
    places = tf.range(tf.size(tokens))
    starts = is_merged & ~tf.concat([[False], is_merged], 0)[:-1]
    first = tf.concat([[0], tf.where(starts)[:, 0]], 0)
    run = tf.cumsum(tf.cast(starts, tf.int32))
    return is_merged & ((places - tf.cast(tf.gather(first, run), tf.int32)) % 2 == 0)


def check_vocabulary(
    vocabulary: Sequence[str], merges: Sequence[tuple[str, str]], name: str = "vocabulary"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds bytes and merges in a vocabulary.

    Args:
        vocabulary, merges: see `ByteLevelBpe`.
        name: of the vocabulary, for error messages.

    Returns:
        int32 arrays: the token of each byte (256,), the tokens of each pair (R, 2), and the token
        that each pair makes (R,).

    Raises:
        KerasuiteError: if one of these is missing.
    """
    numbers = {token: number for number, token in enumerate(vocabulary) if token}
    missing = [byte for byte, token in enumerate(byte_characters()) if token not in numbers]
    if missing:
        raise KerasuiteError(
            f"{name}: has no token for {len(missing)} of the 256 bytes, first {missing[0]:#04x}; "
            f"it is no vocabulary of byte-level BPE: give another"
        )
    for rank, (left, right) in enumerate(merges, 1):
        for token in (left, right, left + right):
            if token not in numbers:
                raise KerasuiteError(
                    f"{name}: has no token {token!r}, which merge {rank:,} ({left} {right}) "
                    f"names; the files do not belong together: fetch both again"
                )
    pairs = np.array([[numbers[a], numbers[b]] for a, b in merges], np.int32).reshape(-1, 2)
    return (
        np.array([numbers[token] for token in byte_characters()], np.int32),
        pairs,
        np.array([numbers[a + b] for a, b in merges], np.int32),
    )
