"""Features of sentences, pairs and choices."""

from collections.abc import Collection, Sequence

import numpy as np

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.finetuning.features import Features, PackedRows
from apps.bert.tasks.examples import ChoiceExample, TextExample
from shared.common.errors import KerasuiteError
from shared.metrics.multilabel import multi_hot
from shared.text.sentences import Sentences
from shared.text.string_tensors import as_strings

# Texts that are tokenised at a time.
CHUNK = 2048


def pack_rows(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: Tokenizer,
    max_length: int,
) -> tuple[PackedRows, np.ndarray]:
    """Packs texts or pairs with the same operations as the SavedModel.

    Args:
        texts: the texts, or the first texts of pairs.
        pairs: the second texts of pairs, or None.
        tokenizer: tokenizer of the run.
        max_length: int. Longest row in word pieces.

    Returns:
        The rows, and which of them were cut: bool (R,).
    """
    rows, starts, cut = [], [], []
    for begin in range(0, len(texts), CHUNK):
        part = slice(begin, begin + CHUNK)
        first = tokenizer(as_strings(texts[part]))
        second = None if pairs is None else tokenizer(as_strings(pairs[part]))
        packed = tokenizer.pack(first, second, max_length)
        token_ids, segment_ids = packed["token_ids"].numpy(), packed["segment_ids"].numpy()
        lengths = (token_ids != 0).sum(axis=1)
        rows += [row[:length] for row, length in zip(token_ids, lengths, strict=True)]
        starts.append(lengths - segment_ids.sum(axis=1))
        whole = 2 + first.row_lengths().numpy()
        if second is not None:
            whole += tokenizer.between + second.row_lengths().numpy()
        cut.append(whole > max_length)
    packed = PackedRows(Sentences.of(rows), np.concatenate(starts).astype(np.int32))
    return packed, np.concatenate(cut)


def text_features(
    examples: Sequence[TextExample],
    labels: Sequence[str] | None,
    tokenizer: Tokenizer,
    max_length: int,
) -> Features:
    """Features of sentences or pairs.

    Args:
        examples: the sentences or pairs.
        labels: names of the classes; None where the labels are numbers.
        tokenizer: tokenizer of the run.
        max_length: int. Longest row in word pieces.
    """
    paired = any(example.text_pair is not None for example in examples)
    pairs = [example.text_pair or "" for example in examples] if paired else None
    rows, cut = pack_rows([example.text for example in examples], pairs, tokenizer, max_length)
    if labels is None:
        targets = np.array([example.label for example in examples], np.float32)
    elif isinstance(examples[0].label, tuple):
        targets = label_targets(examples, labels)
    else:
        targets = class_numbers(examples, labels)
    return Features(rows, targets, cut=int(cut.sum()))


def choice_features(
    examples: Sequence[ChoiceExample], tokenizer: Tokenizer, max_length: int
) -> Features:
    """Features of contexts with several choices, a row for each choice.

    Args:
        examples: contexts with equally many choices.
        tokenizer: tokenizer of the run.
        max_length: int. Longest row in word pieces.
    """
    choices = len(examples[0].choices)
    contexts = [example.context for example in examples for _ in range(choices)]
    endings = [choice for example in examples for choice in example.choices]
    rows, cut = pack_rows(contexts, endings, tokenizer, max_length)
    labels = np.array([example.label for example in examples], np.int32)
    return Features(rows, labels, choices, cut=int(cut.reshape(-1, choices).any(axis=1).sum()))


def class_numbers(examples: Sequence[TextExample], labels: Sequence[str]) -> np.ndarray:
    """Class indices of the examples, int32 (N,).

    Raises:
        KerasuiteError: if a label is none of `labels`.
    """
    number = {name: index for index, name in enumerate(labels)}
    for example in examples:
        _check_known(example, example.label, number)
    return np.array([number[example.label] for example in examples], np.int32)


def label_targets(examples: Sequence[TextExample], labels: Sequence[str]) -> np.ndarray:
    """1 at each of the several labels of the examples, float32 (N, C).

    Raises:
        KerasuiteError: if a label is none of `labels`.
    """
    known = dict.fromkeys(labels)
    for example in examples:
        for label in example.label:
            _check_known(example, label, known)
    return multi_hot([example.label for example in examples], labels)


def _check_known(example: TextExample, label: str, known: Collection[str]) -> None:
    if label not in known:
        raise KerasuiteError(
            f"{example.id}: label '{label}' is not one of the training data's: "
            f"{', '.join(known)}; mend it or train with it"
        )
