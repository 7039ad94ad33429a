"""Metrics of images with several labels and the pictures that go with them."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.vision.classification.evaluator import MISTAKES_SHOWN
from shared.engine.multilabel.evaluator import MultilabelEvaluator
from shared.image.thumbnail import jpeg_bytes, thumbnail
from shared.report.page import Page


class MultilabelClassificationEvaluator(MultilabelEvaluator):
    """The metrics of `MultilabelEvaluator` of images.

    Args:
        names: of the labels.
        thresholds: float (C,). A label is taken for present from its threshold on.
        paths: files in the order of the data set, for the page of mistakes.
    """

    def __init__(self, names: list[str], thresholds: list[float], paths: list[str]):
        super().__init__(names, thresholds)
        self.paths = paths
        self._targets: list[np.ndarray] = []
        self._logits: list[np.ndarray] = []

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        self._targets.append(batch[1])
        self._logits.append(outputs)

    @property
    def targets(self) -> np.ndarray:
        return np.concatenate(self._targets)

    @property
    def logits(self) -> np.ndarray:
        return np.concatenate(self._logits)

    def report_mistakes(self, folder: Path, worst: np.ndarray) -> None:
        page = Page("Mistakes")
        page.text(f"{len(worst)} of {len(self.paths)} images have a wrong or a missing label.")
        captions = (self.label_names(index) for index in worst[:MISTAKES_SHOWN])
        page.pictures(
            [
                (
                    jpeg_bytes(thumbnail(self.paths[index])),
                    f"{true} taken for {found}: {Path(self.paths[index]).name}",
                )
                for index, (true, found) in zip(worst, captions, strict=False)
            ]
        )
        page.write(folder / "samples" / "mistakes.html")
