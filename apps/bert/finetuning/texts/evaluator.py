"""Metrics of sentences, pairs and choices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.finetuning.evaluator import TaskEvaluator
from apps.bert.metrics.glue import class_metrics, score_metrics
from apps.bert.tasks.examples import ChoiceExample, TextExample
from shared.engine.multilabel.evaluator import MultilabelEvaluator
from shared.metrics.multilabel import multi_hot
from shared.report import plots

# Plots of more classes are not readable.
CLASSES_PLOTTED = 40


class ClassificationEvaluator(TaskEvaluator):
    """Accuracy, F1 and Matthews correlation, as defined by GLUE.

    Args:
        examples: sentences or pairs.
        labels: names of the classes.
    """

    def __init__(self, examples: Sequence[TextExample], labels: Sequence[str]):
        super().__init__(examples)
        self.labels = list(labels)

    @property
    def targets(self) -> np.ndarray:
        return np.array([self.labels.index(example.label) for example in self.examples])

    def result(self) -> dict[str, float]:
        metrics = class_metrics(self.targets, self.stacked.argmax(-1), len(self.labels))
        return {"score": metrics["accuracy"], **metrics}

    def report(self, folder: Path) -> dict[str, Any]:
        targets, logits = self.targets, self.stacked
        predicted = logits.argmax(-1)
        matrix = np.zeros((len(self.labels),) * 2, int)
        np.add.at(matrix, (targets, predicted), 1)
        if len(self.labels) <= CLASSES_PLOTTED:
            plots.confusion_matrix(matrix, self.labels, folder / "plots" / "confusion.png")
        confidence = probabilities(logits).max(-1)
        wrong = np.flatnonzero(predicted != targets)
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]

        def row(index):
            return [
                _shown(self.examples[index]),
                self.examples[index].label,
                self.labels[predicted[index]],
                round(float(confidence[index]), 3),
            ]

        self.write_mistakes(folder, wrong, ("text", "label", "prediction", "probability"), row)
        return {"confusion_matrix": matrix.tolist()}


class LabelsEvaluator(TaskEvaluator, MultilabelEvaluator):
    """The metrics of `MultilabelEvaluator`; the score is the mean average precision.

    Args:
        examples: sentences or pairs.
        labels: names of the labels.
        thresholds: float (C,). A label is taken for present from its threshold on.
    """

    def __init__(
        self, examples: Sequence[TextExample], labels: Sequence[str], thresholds: Sequence[float]
    ):
        TaskEvaluator.__init__(self, examples)
        MultilabelEvaluator.__init__(self, labels, thresholds)

    @property
    def targets(self) -> np.ndarray:
        return multi_hot([example.label for example in self.examples], self.names)

    @property
    def logits(self) -> np.ndarray:
        return self.stacked

    def result(self) -> dict[str, float]:
        metrics = super().result()
        return {"score": metrics["mean_average_precision"], **metrics}

    def report_mistakes(self, folder: Path, worst: np.ndarray) -> None:
        def row(index):
            return [_shown(self.examples[index]), *self.label_names(index)]

        self.write_mistakes(folder, worst, ("text", "labels", "predicted"), row)


class RegressionEvaluator(TaskEvaluator):
    """Pearson's and Spearman's correlation."""

    def result(self) -> dict[str, float]:
        targets = np.array([example.label for example in self.examples], np.float64)
        metrics = score_metrics(targets, self.stacked[:, 0])
        return {"score": metrics["pearson"], **metrics}

    def report(self, folder: Path) -> dict[str, Any]:
        found = self.stacked[:, 0]
        gaps = np.array([abs(e.label - f) for e, f in zip(self.examples, found, strict=True)])

        def row(index):
            example = self.examples[index]
            return [example.text, example.text_pair or "", example.label, found[index]]

        header = ("text", "pair", "label", "prediction")
        self.write_mistakes(folder, np.argsort(-gaps, kind="stable"), header, row)
        return {"mean_absolute_error": float(gaps.mean())}


class ChoiceEvaluator(TaskEvaluator):
    """Accuracy of choices."""

    def result(self) -> dict[str, float]:
        right = [
            int(self.outputs[index].argmax()) == example.label
            for index, example in enumerate(self.examples)
        ]
        accuracy = float(np.mean(right))
        return {"score": accuracy, "accuracy": accuracy}

    def report(self, folder: Path) -> dict[str, Any]:
        found = [int(self.outputs[index].argmax()) for index in range(len(self.examples))]
        wrong = [i for i, example in enumerate(self.examples) if found[i] != example.label]

        def row(index):
            example: ChoiceExample = self.examples[index]
            return [example.context, example.choices[example.label], example.choices[found[index]]]

        self.write_mistakes(folder, wrong, ("context", "right", "chosen"), row)
        return {}


def _shown(example: TextExample) -> str:
    """The text of an example, or both of a pair."""
    return " | ".join(text for text in (example.text, example.text_pair) if text is not None)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)
