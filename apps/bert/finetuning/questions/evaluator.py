"""Metrics of answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.finetuning.evaluator import TaskEvaluator
from apps.bert.finetuning.features import Features
from apps.bert.finetuning.questions.features import ragged, read_windows
from apps.bert.finetuning.questions.spans import best_spans, span_offsets
from apps.bert.metrics.squad import (
    answer_metrics,
    apply_null_threshold,
    best_null_threshold,
    question_scores,
)
from apps.bert.tasks.examples import QuestionExample
from apps.bert.tasks.squad import write_predictions


class QuestionEvaluator(TaskEvaluator):
    """Exact match and F1 of answers, as SQuAD has them.

    Where some questions have no answer, the answer is "" if its score exceeds that of the best
    answer by a threshold. The threshold is chosen for the best F1 on the validation data and
    reported. Other data are evaluated with this threshold, like the exported model; "best_f1" is
    the F1 at the best threshold for them.

    Args:
        examples: questions.
        features: windows over their contexts.
        max_answer_length: int. Longest answer in word pieces.
    """

    def __init__(
        self, examples: Sequence[QuestionExample], features: Features, max_answer_length: int
    ):
        super().__init__(examples)
        self.features, self.max_answer_length = features, max_answer_length
        self.null_threshold: float | None = None

    def use_thresholds(self, metrics):
        self.null_threshold = metrics.get("null_threshold", float("inf"))

    def answers(self) -> tuple[dict[str, str], dict[str, float]]:
        """By question id, the best answer and how far the score of "" exceeds its score."""
        windows = read_windows(self.features)
        width = max(len(output) for output in self.outputs.values())
        logits = np.full((len(self.features), width, 2), -np.inf, np.float32)
        for index, output in self.outputs.items():
            logits[index, : len(output)] = output
        spans = best_spans(logits[..., 0], logits[..., 1], windows, self.max_answer_length)
        starts, ends = (ragged(self.features.more[name]) for name in ("starts", "ends"))
        begins, stops = (offsets.numpy() for offsets in span_offsets(spans, starts, ends))
        odds = (spans.null_score - spans.score).numpy()
        answers, null_odds = {}, {}
        for example, begin, stop, odd in zip(self.examples, begins, stops, odds, strict=True):
            answers[example.id], null_odds[example.id] = example.context[begin:stop], float(odd)
        return answers, null_odds

    def final_answers(self) -> tuple[dict[str, str], dict[str, float]]:
        """The answers, "" where the threshold says so, and metrics of the threshold."""
        answers, odds = self.answers()
        if self.null_threshold is None and all(example.answers for example in self.examples):
            return answers, {}
        best = best_null_threshold(self.examples, answers, odds)
        best_answers = apply_null_threshold(answers, odds, best)
        if self.null_threshold is None:
            return best_answers, {"null_threshold": best}
        best_f1 = answer_metrics(self.examples, best_answers)["f1"]
        return apply_null_threshold(answers, odds, self.null_threshold), {"best_f1": best_f1}

    def result(self) -> dict[str, float]:
        answers, more = self.final_answers()
        metrics = answer_metrics(self.examples, answers)
        return {"score": metrics["f1"], **metrics, **more}

    def report(self, folder: Path) -> dict[str, Any]:
        answers, _ = self.final_answers()
        write_predictions(folder / "predictions.json", answers)
        f1s = [question_scores(example, answers[example.id])[1] for example in self.examples]
        wrong = [index for index in np.argsort(f1s, kind="stable") if f1s[index] < 1]

        def row(index):
            example = self.examples[index]
            right = " / ".join(dict.fromkeys(text for text, _ in example.answers))
            return [example.question, right, answers[example.id], round(f1s[index], 3)]

        self.write_mistakes(folder, wrong, ("question", "right", "answer", "F1"), row)
        return {}
