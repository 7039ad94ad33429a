"""Features of tagged words."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.encoder import IGNORED
from apps.bert.finetuning.features import Features, PackedRows
from apps.bert.tasks.examples import TaggedSentence
from shared.common.errors import KerasuiteError
from shared.text.sentences import Sentences
from shared.text.string_tensors import as_strings

# Sentences that are tokenised at a time.
CHUNK = 512


def tagging_features(
    sentences: Sequence[TaggedSentence],
    labels: Sequence[str],
    tokenizer: Tokenizer,
    max_length: int,
) -> Features:
    """Features of tagged sentences; see `WordPieces` for the pieces that have a tag.

    Args:
        sentences: words with tags.
        labels: names of the tags.
        tokenizer: tokenizer of the run.
        max_length: int. Longest row in word pieces.

    Raises:
        KerasuiteError: if a tag is none of `labels`.
    """
    number = {name: index for index, name in enumerate(labels)}
    rows, tags, numbers, cut = [], [], [], 0
    for sentence, pieces in zip(sentences, word_pieces(sentences, tokenizer), strict=True):
        token_ids, words, starts = pieces.cut(max_length - 2)
        cut += len(pieces.token_ids) > max_length - 2
        row_tags = np.full(len(token_ids) + 2, IGNORED, np.int32)
        for piece in np.flatnonzero(starts):
            tag = sentence.tags[words[piece]]
            opens = piece == 0 or words[piece] != words[piece - 1]
            name = tag if opens else inside(tag)
            if name not in number:
                raise KerasuiteError(
                    f"{sentence.id}: tag '{name}' is not one of the training data's: "
                    f"{', '.join(labels)}; mend it or train with it"
                )
            row_tags[piece + 1] = number[name]
        rows.append(np.concatenate([[tokenizer.cls], token_ids, [tokenizer.sep]]).astype(np.int32))
        tags.append(row_tags)
        numbers.append(words)
    packed = PackedRows(Sentences.of(rows), np.array([len(row) for row in rows], np.int32))
    more = {"words": Sentences.of(numbers)}
    return Features(packed, Sentences.of(tags), more=more, cut=cut)


@dataclasses.dataclass(frozen=True)
class WordPieces:
    """The word pieces of a tagged sentence.

    Attributes:
        token_ids: int32 (P,).
        words: int32 (P,). Index of the word of each piece.
        starts: bool (P,). Whether a piece begins a word of the tokenizer, which splits at spaces
            and punctuation. These pieces have a tag each, so that spans are found in raw
            text too, where "U.N." is not one word but four tokens.
    """

    token_ids: np.ndarray
    words: np.ndarray
    starts: np.ndarray

    def cut(self, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.token_ids[:length], self.words[:length], self.starts[:length]


def word_pieces(sentences: Sequence[TaggedSentence], tokenizer: Tokenizer) -> Iterable[WordPieces]:
    """The pieces of the words of each sentence."""
    for begin in range(0, len(sentences), CHUNK):
        part = sentences[begin : begin + CHUNK]
        flat = as_strings(word for sentence in part for word in sentence.words)
        words = tf.RaggedTensor.from_row_lengths(flat, [len(s.words) for s in part])
        columns = tokenizer.tokenize_words(words)
        ends = columns[0].row_splits.numpy()[1:-1]
        split = (np.split(column.values.numpy(), ends) for column in columns)
        yield from (WordPieces(*row) for row in zip(*split, strict=True))


def inside(tag: str) -> str:
    """The tag that continues an entity: I-PER for B-PER."""
    return "I-" + tag[2:] if tag.startswith("B-") else tag
