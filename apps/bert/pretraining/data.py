"""Sequences of plain text, and their tf.data pipeline."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.pretraining.config import CorpusConfig, MaskingConfig
from apps.bert.pretraining.examples import NONE, PretrainingExamples
from apps.bert.pretraining.masking import Masker
from apps.bert.pretraining.sequences import (
    EncodedText,
    encode_text,
    full_sequences,
    paired_sequences,
)
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.text.text_batches import dataset_of
from shared.text.text_files import lines_of, report_damaged

TRAIN, VALIDATION = "train.npz", "validation.npz"


def prepare_text(config: CorpusConfig, tokenizer: Tokenizer, folder: Path) -> dict:
    """Tokenises and saves the training and validation text; returns their sizes.

    Args:
        config: configuration of the run. Without validation text the last lines are held out.
        tokenizer: tokenizer of the run.
        folder: the run folder.

    Raises:
        KerasuiteError: if there is too little text for a sequence.
    """
    options, damaged = config.sequences, Counter()
    train = encode_text(lines_of(config.data, damaged=damaged), tokenizer)
    if options.validation:
        held_out = encode_text(lines_of(options.validation, damaged=damaged), tokenizer)
    else:
        train, held_out = split_text(train, options.validation_split)
    report_damaged(damaged)
    for text, name in ((train, TRAIN), (held_out, VALIDATION)):
        if not len(stretches_of(text, config)):
            raise KerasuiteError(
                f"{' '.join(config.data)}: too little text for a sequence of "
                f"{options.sequence_length} word pieces in {name.removesuffix('.npz')}; give more "
                f"text or lower --sequence-length"
            )
        text.save(folder / name)
    return {
        "train_tokens": len(train.token_ids),
        "validation_tokens": len(held_out.token_ids),
        "train_sequences": len(stretches_of(train, config)),
        "validation_sequences": len(stretches_of(held_out, config)),
    }


def split_text(text: EncodedText, share: float) -> tuple[EncodedText, EncodedText]:
    """Splits a text before the last lines, which have about `share` of the tokens."""
    border = int(np.searchsorted(text.line_ends, len(text.token_ids) * (1 - share)))
    border = min(max(border, 1), len(text.documents) - 1)
    at = text.line_ends[border]
    return (
        EncodedText(text.token_ids[:at], text.line_ends[: border + 1], text.documents[:border]),
        EncodedText(text.token_ids[at:], text.line_ends[border:] - at, text.documents[border:]),
    )


def stretches_of(text: EncodedText, config: CorpusConfig) -> np.ndarray:
    """Offsets of the sequences of a text, see `sequences.py`."""
    length = config.sequences.sequence_length
    if config.sequences.pairs == NONE:
        return full_sequences(text, length - 2)
    return paired_sequences(text, length - 3)


def make_examples(
    text: EncodedText,
    config: CorpusConfig,
    tokenizer: Tokenizer,
    masking: MaskingConfig | None,
    training: bool,
    source: str = "",
) -> PretrainingExamples:
    """The sequences of a text with their masks; for validation always the same masks.

    Args:
        text: the tokenised text.
        config: configuration of the run.
        tokenizer: tokenizer of the run.
        masking: masking of word pieces, or None.
        training: whether masks may change from epoch to epoch.
        source: files of the text, for messages.

    Raises:
        KerasuiteError: if the text has no sequence, which may happen in evaluation only.
    """
    length, pairs = config.sequences.sequence_length, config.sequences.pairs
    stretches = stretches_of(text, config)
    if not len(stretches):
        lacks = "no words" if pairs == NONE else "no document of two lines, which make a pair"
        raise KerasuiteError(f"{source}: too little text to evaluate on, it has {lacks}; give more")
    return PretrainingExamples(
        text,
        stretches,
        pairs,
        tokenizer,
        masking and _masker(masking, tokenizer, length),
        length,
        config.seed if training else config.seed + 1,
        static=not training or (masking is not None and masking.masking == "static"),
    )


def _masker(masking: MaskingConfig, tokenizer: Tokenizer, length: int) -> Masker:
    max_masked = max(1, round(masking.mask_share * length))
    return Masker(tokenizer, masking.mask_share, masking.whole_word, max_masked)


def training_dataset(
    examples: PretrainingExamples,
    config: CorpusConfig,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches (x, y), this worker's rows of each.

    Args:
        examples: the training sequences.
        config: configuration of the run.
        start_step: int. Step of the first batch.
        worker: index of this worker and number of workers.
    """
    size, begin_end = config.batch_size, stream.worker_slice(config.batch_size, worker)

    def batches() -> Iterator[Any]:
        for step in itertools.count(start_step):
            positions = step * size + np.arange(*begin_end)
            indices = stream.examples_at(tf.constant(positions), len(examples), config.seed).numpy()
            yield examples.batch(indices, positions)

    return dataset_of(examples, batches)
