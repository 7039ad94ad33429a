"""WordPiece in the graph: text to the tokens that BERT reads, equal to Hugging Face's tokenizer.

A text is cut into words at white space and punctuation, and a word into the longest pieces that
the vocabulary has, from left to right ([Wu et al., 2016](https://arxiv.org/abs/1609.08144)), with
the linear algorithm of [Song et al., 2021](https://arxiv.org/abs/2012.15524). That algorithm is
tensorflow-text's, the second half of its FastBertTokenizer. The first half, which prepares the
characters, is here: tensorflow-text's lower-casing also folds characters of equal meaning ("ß" to
"ss", the full-width comma of Chinese to ","), which BERT's own does not, and its lists of
punctuation are those of a newer Unicode.
"""

import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.text.bert_words import Words, WordSplitter
from shared.text.tensorflow_text import tf_text, wordpiece_model_builder
from shared.text.token_packing import pack_texts

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SUFFIX = "##"
# A longer word is one [UNK].
MAX_CHARACTERS = 100
_MAX_BYTES = 4 * MAX_CHARACTERS


class WordPieceTokenizer(tf.Module):
    """Converts texts to token ids, in the graph; saved within a SavedModel.

    Args:
        vocabulary: list of str. Token n is entry n. Pieces inside a word begin with "##".
        lowercase: bool. For uncased models.
        strip_accents: bool. None: like `lowercase`.
        tokenize_chinese_chars: bool. Whether each Chinese character is a word.

    Call arguments:
        texts: string (N,). Bytes that are no UTF-8 are left out.

    Returns:
        RaggedTensor int32 (N, None) without special tokens; empty rows for empty texts. No text
        gives a special token other than `[UNK]`, not even one that spells its name.

    Raises:
        KerasuiteError: if the vocabulary lacks a special token, or has an empty or repeated entry.
    """

    def __init__(
        self,
        vocabulary: list[str],
        lowercase: bool,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
    ):
        super().__init__()
        check_vocabulary(vocabulary)
        # One string: a list would be saved with the model, entry by entry.
        self._lines = "\n".join(vocabulary)
        self.vocabulary_size = len(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.pad, self.unk, self.cls, self.sep, self.mask = map(vocabulary.index, SPECIAL_TOKENS)
        self._split = WordSplitter(lowercase, self.strip_accents, tokenize_chinese_chars)
        model = wordpiece_model_builder.build_fast_wordpiece_model(
            vocabulary, _MAX_BYTES, SUFFIX, UNK, True, False
        )
        # The operation has no kernel for other devices.
        with tf.init_scope(), tf.device("CPU:0"):
            self._wordpiece = tf_text.FastWordpieceTokenizer(
                token_out_type=tf.int32, model_buffer=tf.constant(np.frombuffer(model, np.uint8))
            )

    # Number of [SEP] between the texts of a pair.
    between = 1

    @property
    def vocabulary(self) -> list[str]:
        """The names of all tokens."""
        return self._lines.split("\n")

    @property
    def special_tokens(self) -> list[int]:
        """The ids of [PAD], [UNK], [CLS], [SEP] and [MASK]."""
        return [self.pad, self.unk, self.cls, self.sep, self.mask]

    @property
    def is_suffix(self) -> np.ndarray:
        """Bool (V,): which tokens continue a word."""
        names = self.vocabulary
        return np.array([name.startswith(SUFFIX) and name != SUFFIX for name in names])

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The names of token ids (T,), outside the graph."""
        names = self.vocabulary
        return [names[int(token)] for token in ids]

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = self._split(texts)
        pieces, _, _ = self._wordpiece.tokenize_with_offsets(_not_too_long(words))
        return _rows(words, pieces, pieces.values)

    def tokenize_with_offsets(
        self, texts: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Tokens and their offsets in the text.

        Args:
            texts: string (N,).

        Returns:
            tokens, starts, ends, int32 (N, None) each. `text[start:end]` is the token's text;
            offsets count Unicode characters of the text as it was given.
        """
        words = self._split(texts)
        pieces, starts, ends = self._wordpiece.tokenize_with_offsets(_not_too_long(words))
        starts, ends = _source_offsets(words, pieces.value_rowids(), starts.values, ends.values)
        return tuple(_rows(words, pieces, values) for values in (pieces.values, starts, ends))

    def tokenize_with_leads(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """The same with `leads` bool (N, None): whether a token begins a word of the text.

        Words end at spaces and punctuation.
        """
        tokens, starts, ends = self.tokenize_with_offsets(texts)
        return tokens, starts, ends, self._leads(tokens)

    def _leads(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        return tokens.with_values(~tf.gather(tf.constant(self.is_suffix), tokens.values))

    def tokenize_words(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens of texts that are cut into words already, as for tagging.

        Args:
            words: string (N, None).

        Returns:
            tokens and word_index, int32 (N, None) each, and leads, bool (N, None), see
            `tokenize_with_leads`. `word_index` counts the words of its row from 0. Each word has at
            least one token: `[UNK]` if none of its characters is left.
        """
        tokens = self(words.values)
        nothing = tf.fill([tokens.nrows()], tf.constant(self.unk, tf.int32))
        unknown = tf.RaggedTensor.from_row_lengths(
            tf.boolean_mask(nothing, tokens.row_lengths() == 0),
            tf.cast(tokens.row_lengths() == 0, tf.int64),
        )
        tokens = tf.concat([tokens, unknown], axis=1)
        splits = tf.gather(tokens.row_splits, words.row_splits)
        index = tf.ragged.range(words.row_lengths()).values
        index = tf.cast(tf.gather(index, tokens.value_rowids()), tf.int32)
        tokens = tf.RaggedTensor.from_row_splits(tokens.values, splits, validate=False)
        return tokens, tokens.with_values(index), self._leads(tokens)

    def pack(
        self, tokens: tf.RaggedTensor, pair: tf.RaggedTensor | None = None, max_length: int = 512
    ) -> dict[str, tf.Tensor]:
        """Adds special tokens, cuts and pads: see `pack_texts`."""
        return pack_texts(tokens, pair, max_length, cls=self.cls, sep=self.sep, pad=self.pad)


def check_vocabulary(vocabulary: list[str], name: str = "vocabulary") -> None:
    """Raises a KerasuiteError where special tokens are missing, or entries empty or repeated."""
    seen: dict[str, int] = {}
    for number, token in enumerate(vocabulary, 1):
        if not token:
            raise KerasuiteError(f"{name}, line {number}: empty; each line must hold a token")
        if "\0" in token or "\n" in token:
            raise KerasuiteError(f"{name}, line {number}: a token with a NUL byte or a line end")
        if token in seen:
            raise KerasuiteError(
                f"{name}, line {number}: {token!r} is in line {seen[token]} already; "
                f"each token may occur once"
            )
        seen[token] = number
    for token in SPECIAL_TOKENS:
        if token not in seen:
            raise KerasuiteError(f"{name}: no {token} in it; it is no vocabulary of BERT's kind")


def _not_too_long(words: Words) -> tf.Tensor:
    return tf.where(words.lengths > MAX_CHARACTERS, UNK, words.text)


def _rows(words: Words, pieces: tf.RaggedTensor, values: tf.Tensor) -> tf.RaggedTensor:
    """Values of pieces, which are rows of words, as rows of texts."""
    splits = tf.gather(pieces.row_splits, words.row_splits)
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _source_offsets(
    words: Words, word: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Byte offsets within words to character offsets within texts.

    Args:
        words: W words.
        word: int64 (P,). The word of each piece.
        starts, ends: int64 (P,). Bytes from the beginning of the word.

    Returns:
        starts, ends, int32 (P,).
    """
    # An over-long word was handed over as "[UNK]".
    bytes_of_word = tf.cast(tf.strings.length(words.text), tf.int64)
    too_long = words.lengths > MAX_CHARACTERS
    ends = tf.where(tf.gather(too_long, word), tf.gather(bytes_of_word, word), ends)
    return character_offsets(words, word, starts, ends)


def character_offsets(
    words: Words, word: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Byte offsets within words to character offsets within texts, int32 (P,) each.

    Args:
        words: W words.
        word: int64 (P,). The word of each piece.
        starts, ends: int64 (P,). Bytes from the beginning of the word.
    """
    # Offsets of the first byte of each character, all words in one row.
    bytes_of = 1 + sum(tf.cast(words.codes >= code, tf.int64) for code in (0x80, 0x800, 0x10000))
    begins = tf.cumsum(bytes_of, exclusive=True)
    begin = tf.gather(begins, tf.gather(words.splits, word))
    first = tf.searchsorted(begins, begin + starts, side="right") - 1
    last = tf.searchsorted(begins, begin + ends - 1, side="right") - 1
    return tf.gather(words.source, first), tf.gather(words.source, last) + 1
