"""Report on the data of a fine-tuning: contents and problems."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.data import read_data
from apps.bert.finetuning.task_types import TASK_TYPES
from apps.bert.tasks.examples import (
    MULTILABEL,
    ChoiceExample,
    Example,
    QuestionExample,
    TaggedSentence,
    TextExample,
)
from apps.bert.tasks.read import FoundTask
from shared.text.tables.label_sets import label_set_sizes

LABELS_SHOWN = 20
# Classes with a smaller share are reported.
RARE = 0.01


def describe(config: FinetuneConfig) -> tuple[list[str], list[str]]:
    """Contents and problems of the data of a configuration, a line each."""
    found = read_data(config)
    train, validation = found.train.examples, found.validation.examples
    origin = "held out of them" if found.from_split else "from separate files"
    contents = [
        f"task type: {found.task_type}",
        f"{len(train):,} examples to train on, {len(validation):,} to validate ({origin})",
        *_labels(found),
        *_lengths(found, config.task_data.max_length),
        *found.notes,
    ]
    problems = [*found.file_problems, *found.problems, *_single(found), *_unseen(found)]
    return contents, problems + _rare(found) + _repeated(train, validation)


def _labels(found: FoundTask) -> list[str]:
    if found.task_type == "regression":
        numbers = [example.label for example in found.train.examples]
        return [f"labels from {min(numbers):g} to {max(numbers):g}, mean {np.mean(numbers):.3g}"]
    counts = _label_counts(found.train.examples)
    lines = [f"  {label}: {count:,}" for label, count in counts.most_common(LABELS_SHOWN)]
    more = [f"  and {len(counts) - LABELS_SHOWN} more"] if len(counts) > LABELS_SHOWN else []
    if found.task_type == MULTILABEL:
        more.append(label_set_sizes([e.label for e in found.train.examples], "examples"))
    return [f"{len(counts)} labels", *lines, *more] if counts else []


def _label_counts(examples: Sequence[Example]) -> Counter:
    counts: Counter = Counter()
    for example in examples:
        match example:
            case TaggedSentence():
                counts.update(example.tags)
            case QuestionExample():
                counts["without answer" if not example.answers else "with answer"] += 1
            case TextExample(label=tuple() as labels):
                counts.update(labels)
            case _:
                counts[str(example.label)] += 1
    return counts


def _lengths(found: FoundTask, max_length: int) -> list[str]:
    examples = found.train.examples
    words = [len(text.split()) for text in TASK_TYPES[found.task_type].texts(examples)]
    lines = [f"{np.median(words):.0f} words a text in the median, {max(words):,} at most"]
    # A word is at least one piece; how many exactly, a vocabulary says. Questions have windows.
    cut = sum(count > max_length - 2 for count in words)
    if cut and found.task_type != "question-answering":
        lines.append(
            f"at least {cut:,} of {len(words):,} texts are longer than --max-length {max_length} "
            f"word pieces and are cut"
        )
    return lines


def _single(found: FoundTask) -> list[str]:
    if found.task_type not in ("classification", "pair", "tagging"):
        return []
    counts = _label_counts(found.train.examples)
    if len(counts) != 1:
        return []
    return [f"all labels are '{next(iter(counts))}'; add examples of others, or choose the "
            f"column of the labels with --label-column"]  # fmt: skip


def _unseen(found: FoundTask) -> list[str]:
    if found.task_type in ("regression", "question-answering"):
        return []
    known = _label_counts(found.train.examples)
    unseen = sorted(set(_label_counts(found.validation.examples)) - set(known))
    return [f"label '{label}' is in the validation data only; the model cannot learn it"
            for label in unseen]  # fmt: skip


def _rare(found: FoundTask) -> list[str]:
    if found.task_type not in ("classification", "pair", MULTILABEL):
        return []
    counts, total = _label_counts(found.train.examples), len(found.train.examples)
    return [
        f"label '{label}': {count} of {total:,} examples; add some or use --class-weights balanced"
        for label, count in sorted(counts.items())
        if count < RARE * total
    ]


def _repeated(train: Sequence[Example], validation: Sequence[Example]) -> list[str]:
    problems = []
    seen = Counter(_content(example) for example in train)
    copies = sum(count - 1 for count in seen.values())
    if copies:
        problems.append(f"{copies:,} training examples are duplicates")
    leaks = sum(_content(example) in seen for example in validation)
    if leaks:
        problems.append(
            f"{leaks:,} validation examples are in the training data as well; scores on them "
            f"say nothing about new text"
        )
    return problems


def _content(example: Example):
    match example:
        case TextExample():
            return example.text, example.text_pair
        case ChoiceExample():
            return example.context, example.choices
        case TaggedSentence():
            return example.words
        case QuestionExample():
            return example.question, example.context
