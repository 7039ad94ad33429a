"""Byte-level tokens of RoBERTa: those of GPT-2 with BERT's special tokens, and their offsets."""

import numpy as np
import tensorflow as tf

from apps.bert.words_of_texts import tokens_of_texts
from shared.common.errors import KerasuiteError
from shared.text.byte_level_bpe import ByteLevelBpe
from shared.text.byte_level_files import ByteLevelVocabulary
from shared.text.byte_level_words import ByteLevelWords
from shared.text.token_packing import pack_texts

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
# In names of tokens.
BLANK = "Ġ"


class ByteLevelTokenizer(tf.Module):
    """Converts texts to token ids as RoBERTa's does; its methods are those of WordPieceTokenizer.

    Rows of pairs have two `</s>` between the texts. A word that is not the first of its text
    begins with a blank, which is not within its offsets.

    Args:
        vocabulary: names and merges; `<pad>` is number 0.

    Call arguments:
        texts: string (N,). Each byte that is no UTF-8 counts as the character U+FFFD.

    Returns:
        RaggedTensor int32 (N, None) without special tokens; empty rows for empty texts.

    Raises:
        KerasuiteError: if a special token is missing.

    Reference: [Liu et al., 2019](https://arxiv.org/abs/1907.11692)
    """

    between = 2

    def __init__(self, vocabulary: ByteLevelVocabulary):
        super().__init__()
        names = vocabulary.names
        for name in SPECIAL_TOKENS:
            if name not in names:
                raise KerasuiteError(f"vocabulary: has no {name}; it is no vocabulary of RoBERTa's")
        self._merges = tuple(map(tuple, vocabulary.merges))
        # One string: a list would be saved with the model, entry by entry.
        self._lines = "\n".join(names)
        self.vocabulary_size = len(names)
        self.pad, self.unk, self.cls, self.sep, self.mask = map(names.index, SPECIAL_TOKENS)
        self._bpe = ByteLevelBpe(names, self._merges)
        with tf.init_scope(), tf.device("CPU:0"):
            self._leading = tf.constant([len(n) - len(n.lstrip(BLANK)) for n in names])
            self._trailing = tf.constant([len(n) - len(n.rstrip(BLANK)) for n in names])

    @property
    def vocabulary(self) -> list[str]:
        """The names of all tokens."""
        return self._lines.split("\n")

    @property
    def byte_level_vocabulary(self) -> ByteLevelVocabulary:
        """Names and merges."""
        return ByteLevelVocabulary(self.vocabulary, list(self._merges))

    @property
    def special_tokens(self) -> list[int]:
        """The ids of padding, unknown, first, separating and masking token."""
        return [self.pad, self.unk, self.cls, self.sep, self.mask]

    @property
    def is_suffix(self) -> np.ndarray:
        """Bool (V,): which tokens continue what stands before them without a blank."""
        return np.array([not name.startswith(BLANK) for name in self.vocabulary])

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The names of token ids (T,), outside the graph."""
        names = self.vocabulary
        return [names[int(token)] for token in ids]

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._bpe(texts)

    def tokenize_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens and their offsets in the text, see `WordPieceTokenizer`.

        Offsets of a part of a character are those of the character.
        """
        return self.tokenize_with_leads(texts)[:3]

    def tokenize_with_leads(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens, starts, ends, and whether a token begins a word: see `WordPieceTokenizer`."""
        words, tokens = self._bpe.tokens_of_words(texts)
        splits = tf.gather(tokens.row_splits, words.row_splits)
        starts, ends = self._offsets(words, tokens, splits)
        return tuple(
            tf.RaggedTensor.from_row_splits(values, splits, validate=False)
            for values in (tokens.values, starts, ends, _is_first(tokens))
        )

    def _offsets(
        self, words: ByteLevelWords, tokens: tf.RaggedTensor, splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """First character of each token, and the one behind its last, int32 (P,) each."""
        joined = tf.io.decode_raw(tf.strings.reduce_join(words.text), tf.uint8)
        # The character that each byte belongs to, of all texts in a row.
        begins_character = tf.bitwise.bitwise_and(joined, 0xC0) != 0x80
        character = tf.cumsum(tf.cast(begins_character, tf.int64)) - 1
        last = tf.cumsum(self._bpe.byte_lengths(tokens.values)) - 1
        first = last + 1 - self._bpe.byte_lengths(tokens.values)
        row = tf.searchsorted(splits, tf.range(tf.size(first, tf.int64)), side="right") - 1
        begin = tf.gather(words.text_splits, row)
        starts = tf.cast(tf.gather(character, first) - begin, tf.int32)
        ends = tf.cast(tf.gather(character, last) - begin, tf.int32) + 1
        starts = tf.minimum(starts + tf.gather(self._leading, tokens.values), ends)
        return starts, tf.maximum(ends - tf.gather(self._trailing, tokens.values), starts)

    def tokenize_words(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens of texts that are cut into words already, as if these stood with blanks between.

        Args:
            words: string (N, None).

        Returns:
            tokens, word_index and leads, see `WordPieceTokenizer`.
        """
        is_first = _is_first(words)
        blanks = tf.where(is_first, "", " ")
        parts, tokens = self._bpe.tokens_of_words(tf.strings.join([blanks, words.values]))
        leads = _is_first(tokens)
        splits = tf.gather(tokens.row_splits, parts.row_splits)
        of_words, leads = (
            tf.RaggedTensor.from_row_splits(values, splits, validate=False)
            for values in (tokens.values, leads)
        )
        return tokens_of_texts(of_words, leads, words, self.unk)

    def pack(
        self, tokens: tf.RaggedTensor, pair: tf.RaggedTensor | None = None, max_length: int = 512
    ) -> dict[str, tf.Tensor]:
        """Adds special tokens, cuts and pads: see `pack_texts`."""
        special = {"cls": self.cls, "sep": self.sep, "pad": self.pad}
        return pack_texts(tokens, pair, max_length, **special, between=self.between)


def _is_first(rows: tf.RaggedTensor) -> tf.Tensor:
    """Whether each value is the first of its row, bool (P,)."""
    row = rows.value_rowids()
    return tf.concat([[True], row[1:] != row[:-1]], 0)[: tf.size(row)]
