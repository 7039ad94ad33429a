"""How well masked words are guessed."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.finetuning.heads import IGNORED
from shared.engine.app import Evaluator
from shared.report.page import Page
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

SAMPLES_SHOWN = 20


class PretrainingEvaluator(Evaluator):
    """Share of masked places, and of pairs of segments, that are guessed right.

    Args:
        tokenizer: names the pieces on the page of samples.
    """

    uses_inputs = True

    def __init__(self, tokenizer: WordPieceTokenizer):
        self.tokenizer = tokenizer
        self._right, self._asked = {"masked": 0, "next": 0}, {"masked": 0, "next": 0}
        self._samples: list[tuple[str, str, str]] = []

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        x, labels = batch
        for name, guesses in outputs.items():
            real = labels[name] != IGNORED
            self._right[name] += int((guesses == labels[name])[real].sum())
            self._asked[name] += int(real.sum())
        if len(self._samples) < SAMPLES_SHOWN:
            self._samples.append(self._sample(x["tokens"][0], labels["masked"][0], outputs))

    def _sample(self, tokens, labels, outputs) -> tuple[str, str, str]:
        """The first sequence of a batch: what is read, what stood there and what is guessed."""
        real = labels != IGNORED
        texts = (tokens[tokens != self.tokenizer.pad], labels[real], outputs["masked"][0][real])
        return tuple(" ".join(self.tokenizer.pieces(ids)) for ids in texts)

    def result(self) -> dict[str, float]:
        return {
            f"{name}_accuracy": self._right[name] / asked
            for name, asked in self._asked.items()
            if asked
        }

    def report(self, folder: Path) -> dict[str, Any]:
        page = Page("Masked words")
        page.text("Of each batch the first sequence, what stood at the places asked for, in their "
                  "order, and what the model guesses.")  # fmt: skip
        page.table(self._samples, ("sequence", "right", "guessed"))
        page.write(folder / "samples" / "masked.html")
        return {}
