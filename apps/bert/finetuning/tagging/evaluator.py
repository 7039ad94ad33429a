"""Metrics of tagged words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.finetuning.evaluator import TaskEvaluator
from apps.bert.finetuning.features import Features
from apps.bert.metrics.tagging import entity_metrics, entity_report
from apps.bert.tasks.conll import to_iob2
from apps.bert.tasks.examples import TaggedSentence


class TaggingEvaluator(TaskEvaluator):
    """Strict F1 of entities, and accuracy of tags; only the latter without entities.

    Args:
        examples: sentences with their tags.
        features: features of the sentences.
        labels: names of the tags.
    """

    def __init__(
        self, examples: Sequence[TaggedSentence], features: Features, labels: Sequence[str]
    ):
        super().__init__(examples)
        self.features, self.labels = features, list(labels)

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        super().update(batch, outputs.argmax(-1))

    @property
    def predicted(self) -> list[tuple[str, ...]]:
        """A tag for each word: that of its first piece; O where the sentence was cut.

        As in the SavedModel, an I- tag that continues nothing begins an entity.
        """
        tags = [
            self._tags_of(index, len(example.words)) for index, example in enumerate(self.examples)
        ]
        return [to_iob2(row) for row in tags] if self._spans else tags

    @property
    def _spans(self) -> bool:
        return any(label.startswith("B-") for label in self.labels)

    @property
    def _right(self) -> list[tuple[str, ...]]:
        return [example.tags for example in self.examples]

    def _tags_of(self, index: int, count: int) -> list[str]:
        words, tags = self.features.more["words"][index], ["O"] * count
        # From the last piece to the first, so that the tag of a word's first piece stays.
        for piece in range(len(words) - 1, -1, -1):
            tags[words[piece]] = self.labels[self.outputs[index][piece + 1]]
        return tags

    def result(self) -> dict[str, float]:
        metrics = entity_metrics(self._right, self.predicted)
        if not self._spans:
            return dict.fromkeys(("score", "accuracy"), metrics["accuracy"])
        return {"score": metrics["f1"], **metrics}

    def report(self, folder: Path) -> dict[str, Any]:
        predicted = self.predicted
        wrong = [i for i, tags in enumerate(self._right) if list(tags) != list(predicted[i])]

        def row(index):
            words = self.examples[index].words
            pairs = (self._right[index], predicted[index])
            return [_marked(words, tags) for tags in pairs]

        self.write_mistakes(folder, wrong, ("right", "prediction"), row)
        return {"per_type": entity_report(self._right, predicted)} if self._spans else {}


def _marked(words: Sequence[str], tags: Sequence[str]) -> str:
    """Words with the tags of those that have one: "Anna/B-PER sleeps"."""
    return " ".join(w if t == "O" else f"{w}/{t}" for w, t in zip(words, tags, strict=True))
