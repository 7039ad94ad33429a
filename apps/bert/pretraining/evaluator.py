"""Metrics of pretraining."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.encoder import IGNORED
from shared.engine.app import Evaluator
from shared.report.page import Page

SAMPLES_SHOWN = 20


class PretrainingEvaluator(Evaluator):
    """Accuracy of the masked word pieces and of the next-sentence prediction.

    Args:
        tokenizer: tokenizer of the run, for the page of samples.
    """

    uses_inputs = True

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self._correct, self._total = {"masked": 0, "next": 0}, {"masked": 0, "next": 0}
        self._samples: list[tuple[str, str, str]] = []

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        x, labels = batch
        for name, predictions in outputs.items():
            real = labels[name] != IGNORED
            self._correct[name] += int((predictions == labels[name])[real].sum())
            self._total[name] += int(real.sum())
        if len(self._samples) < SAMPLES_SHOWN:
            self._samples.append(self._sample(x["token_ids"][0], labels["masked"][0], outputs))

    def _sample(self, token_ids, labels, outputs) -> tuple[str, str, str]:
        """Of the first sequence of a batch: its text, the masked pieces and the predictions."""
        real = labels != IGNORED
        texts = (
            token_ids[token_ids != self.tokenizer.pad],
            labels[real],
            outputs["masked"][0][real],
        )
        return tuple(" ".join(self.tokenizer.pieces(ids)) for ids in texts)

    def result(self) -> dict[str, float]:
        return {
            f"{name}_accuracy": self._correct[name] / total
            for name, total in self._total.items()
            if total
        }

    def report(self, folder: Path) -> dict[str, Any]:
        page = Page("Masked words")
        page.text("Of each batch the first sequence, the word pieces that were masked, in their "
                  "order, and what the model predicts.")  # fmt: skip
        page.table(self._samples, ("sequence", "right", "predicted"))
        page.write(folder / "samples" / "masked.html")
        return {}
