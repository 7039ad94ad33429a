"""Learns WordPiece vocabularies from text.

The vocabulary holds all characters and then the pieces that byte-pair encoding
([Sennrich et al., 2016](https://arxiv.org/abs/1508.07909)) joins first, as Hugging Face's trainer
for WordPiece does; Google never published its own. The pairs are counted by the sentencepiece
library, on words as `WordPieceTokenizer` cuts them.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import sentencepiece
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.text.bert_words import WordSplitter
from shared.text.wordpiece_tokenizer import MAX_CHARACTERS, SPECIAL_TOKENS, SUFFIX

# How sentencepiece writes the beginning of a word.
_BEGIN = "\u2581"
_MAX_PIECE_LENGTH = 32
_TEXTS_AT_ONCE = 1000
# The rarest words beyond these change no vocabulary, but counting their pairs takes memory.
_MAX_WORDS = 1_000_000


def learn_wordpiece(
    sentences: Iterable[str], size: int, lowercase: bool = True, limit_alphabet: int = 1000
) -> list[str]:
    """Learns a vocabulary; the same sentences always give the same.

    Args:
        sentences: texts, at least one with a word in it. They are read once.
        size: int. Tokens, the five special ones included. Where the text does not support this
            many, the vocabulary is smaller and a warning says so.
        lowercase: bool. Whether it is for an uncased model.
        limit_alphabet: int. Maximum characters that get tokens; words with others become `[UNK]`.

    Returns:
        The tokens, special ones first, then characters, then pieces, the most frequent first.

    Raises:
        KerasuiteError: if there is no text, or `size` has no room for the characters.
    """
    counts = count_words(sentences, lowercase)
    counts = _without_rare_characters(counts, limit_alphabet)
    if not counts:
        raise KerasuiteError("no text to learn a vocabulary from; check the training files")
    characters = _characters(counts)
    fixed = [*SPECIAL_TOKENS, *characters]
    if size < len(fixed):
        raise KerasuiteError(
            f"--vocabulary-size {size}: too small; special tokens and the characters of this text "
            f"take {len(fixed)}, so give at least that, better some thousands"
        )
    vocabulary = list(dict.fromkeys([*fixed, *_joined_pieces(counts, size)]))[:size]
    if len(vocabulary) < size:
        warn(
            f"--vocabulary-size {size}: the training text supports {len(vocabulary)} tokens only; "
            f"{len(vocabulary)} are used"
        )
    return vocabulary


def count_words(sentences: Iterable[str], lowercase: bool) -> Counter[str]:
    """The number of occurrences of each word, as `WordPieceTokenizer` cuts texts into words."""
    split = WordSplitter(lowercase, lowercase, isolate_chinese=True)
    words = tf.function(
        lambda texts: split(texts).text, [tf.TensorSpec([None], tf.string)], autograph=False
    )
    counts: Counter[bytes] = Counter()
    for texts in _chunks(sentences):
        counts.update(words(tf.constant(texts, tf.string)).numpy().tolist())
    return Counter({word.decode(): count for word, count in counts.items()})


def _chunks(sentences: Iterable[str]) -> Iterator[list[bytes]]:
    chunk = []
    for sentence in sentences:
        chunk.append(sentence.encode("utf-8", "replace"))
        if len(chunk) == _TEXTS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _without_rare_characters(counts: Counter[str], limit: int) -> list[tuple[str, int]]:
    """The words of the `limit` most frequent characters, the most frequent first."""
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    # In their text, the sign means the beginning of a word to sentencepiece.
    del characters[_BEGIN]
    kept = {character for character, _ in _most_frequent(characters)[:limit]}
    words = [
        (word, count)
        for word, count in counts.items()
        if len(word) <= MAX_CHARACTERS and kept.issuperset(word)
    ]
    return sorted(words, key=lambda item: (-item[1], item[0]))[:_MAX_WORDS]


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _characters(words: list[tuple[str, int]]) -> list[str]:
    """Every character as the beginning of a word and inside it, where it occurs there."""
    first = {word[0] for word, _ in words}
    inside = {character for word, _ in words for character in word[1:]}
    return [*sorted(first), *(SUFFIX + character for character in sorted(inside))]


def _joined_pieces(words: list[tuple[str, int]], size: int) -> list[str]:
    """Pieces in the order in which byte-pair encoding joins them, in WordPiece's notation."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.tsv"
        rows = "".join(f"{word}\t{count}\n" for word, count in words)
        path.write_text(rows, encoding="utf-8", newline="\n")
        sentencepiece.SentencePieceTrainer.train(
            input=str(path),
            input_format="tsv",
            model_prefix=str(Path(folder) / "model"),
            model_type="bpe",
            # Enough: to it, "▁" and the character after it are a joined piece too.
            vocab_size=2 * size,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            split_by_unicode_script=False,
            split_by_number=False,
            max_sentencepiece_length=_MAX_PIECE_LENGTH,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / "model.model"))
        pieces = [model.id_to_piece(number) for number in range(3, model.vocab_size())]
    pieces = [
        piece.removeprefix(_BEGIN) if piece.startswith(_BEGIN) else SUFFIX + piece
        for piece in pieces
    ]
    return [piece for piece in pieces if piece]
