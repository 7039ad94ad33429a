"""Precision, recall and F1 of entities, correct only if type, first and last word are.

The strict evaluation of CoNLL-2003 ([Tjong Kim Sang and De Meulder,
2003](https://aclanthology.org/W03-0419/)) on IOB2 tags, like `mode="strict"` of the seqeval
library: an inside tag that continues nothing of its type is no entity.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

Entity = tuple[str, int, int]


def entities(tags: Sequence[str]) -> list[Entity]:
    """(type, first word, last word) of each entity in IOB2 tags.

    >>> entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-PER"])
    [('PER', 0, 1), ('LOC', 4, 4)]
    """
    found, entity_type, begin = [], None, 0
    for word, tag in enumerate([*tags, "O"]):
        if entity_type is not None and tag != f"I-{entity_type}":
            found.append((entity_type, begin, word - 1))
            entity_type = None
        if tag.startswith("B-"):
            entity_type, begin = tag[2:], word
    return found


def entity_metrics(
    right: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Metrics over all entities.

    Args:
        right, predicted: IOB2 tags of each word of each sentence, equally many.

    Returns:
        "precision", "recall", "f1" (0 where there is no entity), "accuracy" (of words).
    """
    scores = _scores(*_count(right, predicted)[""])
    words = sum(len(tags) for tags in right)
    same = sum(
        a == b for x, y in zip(right, predicted, strict=True) for a, b in zip(x, y, strict=True)
    )
    return {name: scores[name] for name in ("precision", "recall", "f1")} | {
        "accuracy": same / max(1, words)
    }


def entity_report(
    right: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, dict[str, Any]]:
    """By type: "precision", "recall", "f1" and "support" (the number of entities)."""
    counts = _count(right, predicted)
    return {name: _scores(*counts[name]) for name in sorted(counts) if name}


def _count(right, predicted) -> dict[str, tuple[int, int, int]]:
    """(true positives, predicted, actual) for each type, and for "": all."""
    hits, found, there = Counter(), Counter(), Counter()
    for tags, guesses in zip(right, predicted, strict=True):
        real, guessed = set(entities(tags)), set(entities(guesses))
        for counter, part in ((hits, real & guessed), (found, guessed), (there, real)):
            counter.update(name for name, _, _ in part)
            counter[""] += len(part)
    types = {"", *found, *there}
    return {name: (hits[name], found[name], there[name]) for name in types}


def _scores(hits: int, found: int, there: int) -> dict[str, Any]:
    precision, recall = hits / max(1, found), hits / max(1, there)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / max(1, found + there),
        "support": there,
    }
