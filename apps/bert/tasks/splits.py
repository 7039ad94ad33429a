"""Training and validation files of a data set, or a split of its examples."""

from collections.abc import Hashable, Sequence

import numpy as np

from apps.bert.tasks.conll import ENDINGS
from apps.bert.tasks.examples import (
    ChoiceExample,
    Example,
    QuestionExample,
    TaggedSentence,
    TextExample,
)
from shared.common.errors import KerasuiteError
from shared.text.tables.formats import CSV, JSON, PARQUET, TSV
from shared.text.tables.split_files import SplitFiles

_FILES = SplitFiles(
    (*TSV, *CSV, *JSON, *PARQUET, *ENDINGS), ".tsv, .csv, .jsonl, .parquet, CoNLL, SQuAD"
)
training_files, validation_files = _FILES.training, _FILES.validation


def hold_out(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Splits examples into (train, validation).

    Questions about one article (one context where all are about the same), and examples with the
    same text, stay together.

    Args:
        examples: examples of at least two groups.
        share: float between 0 and 1. Share of the examples; at least one group is held out.
        seed: int. The same seed and examples give the same split.

    Raises:
        KerasuiteError: if all examples are of one group.
    """
    keys = [_group(example) for example in examples]
    if len(set(keys)) < 2:
        keys = [
            getattr(example, "context", key) for key, example in zip(keys, examples, strict=True)
        ]
    groups = list(dict.fromkeys(keys))
    if len(groups) < 2:
        raise KerasuiteError(
            "too few examples to hold some out: all have one text or article; give --validation"
        )
    sizes = dict.fromkeys(groups, 0)
    for key in keys:
        sizes[key] += 1
    held_out, count = set(), 0
    for number in np.random.default_rng(seed).permutation(len(groups))[:-1]:
        if count >= share * len(examples):
            break
        held_out.add(groups[number])
        count += sizes[groups[number]]
    parts = ([], [])
    for key, example in zip(keys, examples, strict=True):
        parts[key in held_out].append(example)
    return parts


def _group(example: Example) -> Hashable:
    match example:
        case TextExample():
            return example.text
        case ChoiceExample():
            return example.context
        case TaggedSentence():
            return example.words
        case QuestionExample():
            return example.title
