"""Amount of text that the losses of a general distillation are averaged over."""

from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.app import Evaluator


class HeldOutText(Evaluator):
    """Counts the held-out text; the losses, which the model gives itself, are the metrics."""

    def __init__(self):
        self._sequences = self._word_pieces = 0

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        self._sequences += len(outputs["word_pieces"])
        self._word_pieces += int(outputs["word_pieces"].sum())

    def result(self) -> dict[str, float]:
        return {}

    def report(self, folder: Path) -> dict[str, Any]:
        return {"sequences": self._sequences, "word_pieces": self._word_pieces}
