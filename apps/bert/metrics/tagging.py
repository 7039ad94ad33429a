"""Precision, recall and F1 of entities: right only if type, first and last word are right.

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
    found, kind, begin = [], None, 0
    for place, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            found.append((kind, begin, place - 1))
            kind = None
        if tag.startswith("B-"):
            kind, begin = tag[2:], place
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
    """Type to "precision", "recall", "f1" and "support" (how many entities there are)."""
    counts = _count(right, predicted)
    return {kind: _scores(*counts[kind]) for kind in sorted(counts) if kind}


def _count(right, predicted) -> dict[str, tuple[int, int, int]]:
    """(right among predicted, predicted, right) for each type, and for "": all."""
    hits, found, there = Counter(), Counter(), Counter()
    for tags, guesses in zip(right, predicted, strict=True):
        real, guessed = set(entities(tags)), set(entities(guesses))
        for counter, part in ((hits, real & guessed), (found, guessed), (there, real)):
            counter.update(kind for kind, _, _ in part)
            counter[""] += len(part)
    kinds = {"", *found, *there}
    return {kind: (hits[kind], found[kind], there[kind]) for kind in kinds}


def _scores(hits: int, found: int, there: int) -> dict[str, Any]:
    precision, recall = hits / max(1, found), hits / max(1, there)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / max(1, found + there),
        "support": there,
    }
