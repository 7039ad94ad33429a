"""Subword vocabularies: trained with the sentencepiece library, applied in the graph.

[SentencePiece](https://arxiv.org/abs/1808.06226) (Kudo and Richardson, 2018) sees a sentence as
a row of characters in which "▁" stands for a space, so that cutting it into pieces loses nothing
and languages without spaces need no word segmentation. A character without a piece of its own is
spelled in the bytes of its UTF-8 code. Text is cleaned by `clean_text`, here and nowhere else, so
that training and serving cannot differ.
"""

import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import sentencepiece
import tensorflow as tf
from sentencepiece import sentencepiece_model_pb2

from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.text.special_tokens import END, PAD
from shared.text.tensorflow_text import tf_text

SPECIAL_PIECES = ("<pad>", "<unk>", "<s>", "</s>")
KINDS = ("unigram", "bpe", "char", "word")
# The special pieces and one piece for every byte.
FIXED_PIECES = len(SPECIAL_PIECES) + 256
MIN_LEARNT = 10
# The library's own advice for scripts with many characters; the rarest are spelled in bytes.
COVERAGE = 0.9995
# More sentences make training longer and the vocabulary no better.
MAX_SENTENCES = 1_000_000
MAX_SENTENCE_BYTES = 1 << 16

# Control characters, all kinds of white space, the byte-order mark, and the sign that
# SentencePiece writes for a space: in a text it would be read as one.
_BLANKS = r"[\p{Cc}\p{Z}\x{FEFF}▁]+"
_CLEANED_AT_ONCE = 10_000
# SentencePiece's own normalisation changes nothing in clean text. This rule for "▁" (to a space)
# stands here because the operation in the graph prints a line for a model that has no rule.
_RULES = "2581\t20\n"


def clean_text(text: tf.Tensor) -> tf.Tensor:
    """The form of text that vocabularies are learnt on and that models read.

    Invalid UTF-8 becomes U+FFFD; characters are composed (Unicode NFC); control characters and
    white space of any kind and length become one space, and none at the ends.

    Args:
        text: string tensor of any shape.

    Returns:
        String tensor of the same shape, one line each. Cleaning it again changes nothing.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf_text.normalize_utf8(text, "NFC")
    return tf.strings.strip(tf.strings.regex_replace(text, _BLANKS, " "))


class SubwordTokenizer(tf.Module):
    """Converts sentences to token ids and back, in the graph; saved within a SavedModel.

    Args:
        model: bytes. A vocabulary, as `train_tokenizer` returns it.

    Call arguments:
        text: string (N,). It is cleaned by `clean_text` first.

    Returns:
        RaggedTensor int32 (N, None) without `<s>` and `</s>`; empty rows for empty texts.
    """

    def __init__(self, model: bytes):
        super().__init__()
        self.model = model
        self._library = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.vocabulary_size = self._library.vocab_size()
        # Without names, two vocabularies of one SavedModel would both be the first when loaded.
        name = f"sentencepiece_{hashlib.sha256(model).hexdigest()[:16]}"
        # The operations have no kernels for other devices.
        with tf.device("CPU:0"):
            self._tokenizer = tf_text.SentencepieceTokenizer(
                model=model, out_type=tf.int32, name=name
            )

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return self._tokenizer.tokenize(clean_text(text))

    def detokenize(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """The text of token ids.

        Args:
            ids: int32 (N, T), dense or ragged. Tokens after the first `</s>` of a row are left
                out, and so are the special tokens.

        Returns:
            String (N,), cleaned: whatever the tokens are, a text is one line of valid UTF-8.
        """
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD)
        is_end = tf.cast(ids == END, tf.int32)
        is_text = (ids > END) & (tf.cumsum(is_end, axis=1) == 0)
        pieces = tf.ragged.boolean_mask(tf.cast(ids, tf.int32), is_text)
        # A "▁" that was spelled in bytes is one still; `clean_text` makes it a space.
        return clean_text(self.raw_text(pieces))

    def raw_text(self, pieces: tf.RaggedTensor) -> tf.Tensor:
        """The text of token ids int32 (N, None) as the pieces spell it, line feeds included.

        Args:
            pieces: without special tokens.
        """
        return self._tokenizer.detokenize(pieces)

    def piece_strings(self, ids: tf.Tensor) -> tf.Tensor:
        """The names of token ids int32 of any shape, as strings, in the graph."""
        return self._tokenizer.id_to_string(ids)

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The names of token ids (T,), outside the graph."""
        return self._library.id_to_piece([int(token) for token in ids])


def train_tokenizer(
    sentences: Iterable[str], kind: str, size: int, source: str = "training text"
) -> bytes:
    """Learns a vocabulary; the same sentences always give the same.

    Args:
        sentences: at least one with text in it. Of more than a million a sample is used.
        kind: "unigram" (Kudo, 2018), "bpe" (Sennrich et al., 2016), "char" or "word" (text
            between spaces).
        size: int. Pieces, 4 special ones and 256 for bytes included. Where the sentences do not
            support this many, the vocabulary is smaller and a warning says so.
        source: name of the sentences in that warning.

    Returns:
        A serialised SentencePiece model.

    Raises:
        KerasuiteError: if there is no text or `size` or `kind` is not possible.
    """
    if kind not in KINDS:
        raise KerasuiteError(f"--vocabulary {kind}: unknown; one of {', '.join(KINDS)}")
    if size < FIXED_PIECES + MIN_LEARNT:
        raise KerasuiteError(
            f"--vocabulary-size {size}: too small; {len(SPECIAL_PIECES)} special tokens and 256 "
            f"bytes take {FIXED_PIECES}, so give at least {FIXED_PIECES + MIN_LEARNT}, better "
            f"some thousands"
        )
    texts = list(_cleaned(_sample(list(sentences))))
    if not texts:
        raise KerasuiteError("no text to learn a vocabulary from; check the training files")
    if kind != "word":
        room = size - FIXED_PIECES
        texts = _without_rare_characters(texts, room if kind == "char" else room // 2)
    model = _train(texts, kind, size)
    used = sentencepiece.SentencePieceProcessor(model_proto=model).vocab_size()
    if used < size:
        warn(f"--vocabulary-size {size}: the {source} supports {used} tokens only; {used} are used")
    return model


def _sample(sentences: list[str]) -> list[str]:
    if len(sentences) <= MAX_SENTENCES:
        return sentences
    chosen = np.random.default_rng(0).choice(len(sentences), MAX_SENTENCES, replace=False)
    return [sentences[index] for index in np.sort(chosen)]


def _cleaned(sentences: list[str]) -> Iterator[str]:
    """Clean sentences, without the empty ones."""
    for begin in range(0, len(sentences), _CLEANED_AT_ONCE):
        part = [text.encode("utf-8", "replace") for text in sentences[begin:][:_CLEANED_AT_ONCE]]
        for text in clean_text(tf.constant(part)).numpy():
            if text:
                yield text.decode()


def _train(texts: list[str], kind: str, size: int) -> bytes:
    special = {}
    roles = ("pad", "unk", "bos", "eos")
    for number, (role, piece) in enumerate(zip(roles, SPECIAL_PIECES, strict=True)):
        special |= {f"{role}_id": number, f"{role}_piece": piece}
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(_RULES)
        rules.flush()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type=kind,
                vocab_size=size,
                hard_vocab_limit=False,
                character_coverage=1.0,
                byte_fallback=True,
                normalization_rule_tsv=rules.name,
                max_sentence_length=MAX_SENTENCE_BYTES,
                minloglevel=2,
                **special,
            )
        except (RuntimeError, OSError) as error:
            raise KerasuiteError(
                f"--vocabulary {kind} --vocabulary-size {size}: cannot be learnt from this text "
                f"({error}); try another size or kind"
            ) from error
    learnt = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    learnt.normalizer_spec.ClearField("normalization_rule_tsv")
    return learnt.SerializeToString(deterministic=True)


def _without_rare_characters(texts: list[str], room: int) -> list[str]:
    """Spaces instead of the characters that get no piece of their own.

    Half of `room` pieces are left for longer ones, so that Chinese can have a small vocabulary
    too. The library's own `character_coverage` cannot be below 0.98 and fails where that many
    characters do not fit.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    kept, covered = set(" "), 0
    for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(kept) >= room or covered >= COVERAGE * counts.total():
            break
        kept.add(character)
        covered += count
    spaces = str.maketrans(dict.fromkeys(counts.keys() - kept, " "))
    return [text.translate(spaces) for text in texts] if spaces else texts
