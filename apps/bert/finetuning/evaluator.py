"""Base class of the metrics of fine-tuned models, with a page of mistakes.

`score` is the metric by which the best model is chosen: accuracy, Pearson's correlation, or F1.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.app import Evaluator
from shared.report.page import Page

MISTAKES_SHOWN = 60


class TaskEvaluator(Evaluator):
    """Collects the outputs of the model by the index of the example.

    Args:
        examples: the evaluated examples, in the order of the features.
    """

    def __init__(self, examples: Sequence[Any]):
        self.examples = examples
        self.outputs: dict[int, np.ndarray] = {}

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        for index, output in zip(batch[1]["index"], outputs, strict=True):
            self.outputs[int(index)] = output

    def use_thresholds(self, metrics: dict[str, Any]) -> None:
        """Applies thresholds that a run chose on its own validation data; most tasks have none.

        Args:
            metrics: metrics of the run.
        """
        return None

    @property
    def stacked(self) -> np.ndarray:
        """The outputs in the order of the examples, (N, ...)."""
        return np.stack([self.outputs[index] for index in range(len(self.examples))])

    def write_mistakes(self, folder: Path, wrong: Sequence[int], header, row) -> None:
        """Writes a page of mispredicted examples.

        Args:
            folder: folder of the evaluation.
            wrong: indices of the examples, the worst first.
            header: names of the columns.
            row: function of an index to the cells of its row.
        """
        page = Page("Mistakes")
        page.text(f"{len(wrong):,} of {len(self.examples):,} examples are wrong.")
        page.table([row(index) for index in wrong[:MISTAKES_SHOWN]], header)
        page.write(folder / "samples" / "mistakes.html")
