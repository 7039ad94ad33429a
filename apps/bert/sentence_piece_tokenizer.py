"""SentencePiece tokens of ALBERT, in the graph, with their offsets in the text."""

import hashlib

import numpy as np
import sentencepiece
import tensorflow as tf

from apps.bert.words_of_texts import tokens_of_texts
from shared.common.errors import KerasuiteError
from shared.text.bert_characters import NO_CHARACTER, compatible_tables
from shared.text.bert_words import WordSplitter
from shared.text.tensorflow_text import tf_text
from shared.text.token_packing import pack_texts
from shared.text.wordpiece_tokenizer import character_offsets

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
# Begins a word in names of tokens.
SPACE = "▁"
# Two of these are one quotation mark.
QUOTES = ("``", "''")
# A sign that stands for no character, which the tables remove.
REMOVED_SIGN = chr(NO_CHARACTER)


class _Splitter(WordSplitter):
    """Cuts texts at white space, with their characters as ALBERT sees them."""

    def __init__(self, lowercase: bool, strip_accents: bool):
        tf.Module.__init__(self)
        self._set_tables(*compatible_tables(lowercase, strip_accents))


class SentencePieceTokenizer(tf.Module):
    """Converts texts to token ids as ALBERT's does; its methods are those of WordPieceTokenizer.

    A word, which ends at white space, is cut by the SentencePiece model.

    Args:
        model: bytes. A SentencePiece model.
        lowercase: bool.
        strip_accents: bool. Also takes characters apart that stand for several.

    Call arguments:
        texts: string (N,).

    Returns:
        RaggedTensor int32 (N, None) without special tokens; empty rows for empty texts.

    Raises:
        KerasuiteError: if a special token is missing, or the padding is not number 0.

    Reference: [Lan et al., 2020](https://arxiv.org/abs/1909.11942)
    """

    between = 1

    def __init__(self, model: bytes, lowercase: bool, strip_accents: bool):
        super().__init__()
        self.model, self.lowercase, self.strip_accents = model, lowercase, strip_accents
        library = sentencepiece.SentencePieceProcessor(model_proto=model)
        names = library.id_to_piece(list(range(library.vocab_size())))
        missing = [name for name in SPECIAL_TOKENS if name not in names]
        if missing or names[0] != PAD:
            raise KerasuiteError(
                f"vocabulary: has no {', '.join(missing) or '<pad> as its first token'}; it is no "
                f"vocabulary of ALBERT's"
            )
        # One string: a list would be saved with the model, entry by entry.
        self._lines = "\n".join(names)
        self.vocabulary_size = len(names)
        self.pad, self.unk, self.cls, self.sep, self.mask = map(names.index, SPECIAL_TOKENS)
        self._split = _Splitter(lowercase, strip_accents)
        is_mark = [not any(map(str.isalnum, name)) for name in names]
        name = f"sentencepiece_{hashlib.sha256(model).hexdigest()[:16]}"
        with tf.init_scope(), tf.device("CPU:0"):
            self._is_mark = tf.constant(is_mark)
            self._pieces = tf_text.SentencepieceTokenizer(model=model, out_type=tf.int32, name=name)

    @property
    def vocabulary(self) -> list[str]:
        """The names of all tokens."""
        return self._lines.split("\n")

    @property
    def special_tokens(self) -> list[int]:
        """The ids of padding, unknown, first, separating and masking token."""
        return [self.pad, self.unk, self.cls, self.sep, self.mask]

    @property
    def is_suffix(self) -> np.ndarray:
        """Bool (V,): which tokens continue a word."""
        return np.array([not name.startswith(SPACE) for name in self.vocabulary])

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The names of token ids (T,), outside the graph."""
        names = self.vocabulary
        return [names[int(token)] for token in ids]

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self.tokenize_with_offsets(texts)[0]

    def tokenize_with_offsets(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens and their offsets in the text, see `WordPieceTokenizer`."""
        return self.tokenize_with_leads(texts)[:3]

    def tokenize_with_leads(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens, starts, ends, and whether a token begins a word: see `WordPieceTokenizer`.

        Words are also cut at tokens of punctuation.
        """
        words = self._split(_with_plain_quotes(texts))
        with tf.device("CPU:0"):
            pieces, starts, ends = self._pieces.tokenize_with_offsets(words.text)
        word = pieces.value_rowids()
        begin, end = (tf.cast(offsets.values, tf.int64) for offsets in (starts, ends))
        # The sign for a space alone has no text.
        begin, end = character_offsets(words, word, begin, tf.maximum(end, begin + 1))
        is_mark = tf.gather(self._is_mark, pieces.values)
        first = tf.concat([[True], word[1:] != word[:-1]], 0)[: tf.size(word)]
        leads = first | is_mark | tf.concat([[True], is_mark], 0)[: tf.size(word)]
        splits = tf.gather(pieces.row_splits, words.row_splits)
        return tuple(
            tf.RaggedTensor.from_row_splits(values, splits, validate=False)
            for values in (pieces.values, begin, end, leads)
        )

    def tokenize_words(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, ...]:
        """Tokens, word_index and leads of texts that are cut into words already.

        Args:
            words: string (N, None).
        """
        tokens, _, _, leads = self.tokenize_with_leads(words.values)
        return tokens_of_texts(tokens, leads, words, self.unk)

    def pack(
        self, tokens: tf.RaggedTensor, pair: tf.RaggedTensor | None = None, max_length: int = 512
    ) -> dict[str, tf.Tensor]:
        """Adds special tokens, cuts and pads: see `pack_texts`."""
        special = {"cls": self.cls, "sep": self.sep, "pad": self.pad}
        return pack_texts(tokens, pair, max_length, **special)


def _with_plain_quotes(texts: tf.Tensor) -> tf.Tensor:
    """Two of QUOTES as a sign that is removed, for the offsets, and one plain quotation mark."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    for quotes in QUOTES:
        texts = tf.strings.regex_replace(texts, quotes, f'{REMOVED_SIGN}"')
    return texts
