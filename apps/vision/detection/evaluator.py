"""Metrics of detection and the pictures that go with them."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.evaluation import detection_plots
from apps.vision.detection.evaluation.box_matches import (
    CONFIDENCES,
    ConfidenceCurves,
    confidence_curves,
    confusion_matrix,
    judge,
    mean_of_classes,
    truth_counts,
)
from apps.vision.detection.evaluation.coco_evaluation import BoxEvaluation, Detections
from apps.vision.detection.evaluation.coco_metrics import (
    class_metrics,
    coco_metrics,
    precision_at_recall,
)
from apps.vision.detection.evaluation.detection_pictures import write_sheet, write_worst
from apps.vision.detection.letterbox_boxes import to_original
from shared.common.errors import KerasuiteError
from shared.engine.app import Evaluator
from shared.report import plots

SHOWN_CONFIDENCE = 0.25  # of the confusion matrix and the sheet: what an export answers by default
BACKGROUND = "background"


class DetectionEvaluator(Evaluator):
    """COCO's metrics, and precision, recall and F1 at the best confidence.

    Args:
        class_names: names of the classes.
        images: the truth, in the order of the data set.
        image_size: side of the letterboxed square that detections relate to.
    """

    def __init__(self, class_names: list[str], images: list[ImageBoxes], image_size: int):
        self.class_names = class_names
        self.image_size = image_size
        self._images = images
        self._detections: list[Detections] = []

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        """Takes the detections of the next images; see `Detector.detections` for the outputs."""
        start = len(self._detections)
        images = self._images[start : start + len(outputs["count"])]
        if len(images) < len(outputs["count"]):
            raise ValueError(f"detections of more than {len(self._images)} images")
        heights, widths = ([getattr(i, side) for i in images] for side in ("height", "width"))
        with tf.device("CPU:0"):
            boxes = to_original(outputs["boxes"], heights, widths, self.image_size).numpy()
        for index, count in enumerate(outputs["count"]):
            scores, classes = outputs["scores"][index, :count], outputs["classes"][index, :count]
            # Copies: a view would keep the whole batch.
            row = (boxes[index, :count], scores, classes)
            self._detections.append(Detections(*(part.copy() for part in row)))
        self.__dict__.pop("_scored", None)

    @property
    def images(self) -> list[ImageBoxes]:
        """Those whose detections are there."""
        return self._images[: len(self._detections)]

    @cached_property
    def _scored(self) -> tuple[BoxEvaluation, ConfidenceCurves]:
        count = len(self.class_names)
        if not truth_counts(self.images, count).any():
            raise KerasuiteError(
                "no image to evaluate on has a box; take others, or another --validation-split"
            )
        evaluation = BoxEvaluation(self.images, self._detections, count)
        evaluation.evaluate()
        evaluation.accumulate()
        curves = confidence_curves(self.images, self._detections, evaluation.matches, count)
        return evaluation, curves

    def result(self) -> dict[str, float]:
        evaluation, curves = self._scored
        best = curves.best
        at_best = {
            name: float(mean_of_classes(getattr(curves, name))[best])
            for name in ("precision", "recall", "f1")
        }
        return coco_metrics(evaluation) | at_best | {"best_confidence": float(CONFIDENCES[best])}

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes curves, confusion matrix, a sheet of images and the worst ones."""
        matrix = confusion_matrix(
            self.images, self._detections, self._judge(SHOWN_CONFIDENCE), len(self.class_names)
        )
        self._write_plots(folder / "plots", matrix)
        self._write_samples(folder / "samples")
        return {"per_class": self._per_class(), "confusion_matrix": matrix.tolist()}

    def _judge(self, confidence):
        evaluation, _ = self._scored
        rows = zip(self.images, self._detections, evaluation.matches, strict=True)
        return [judge(*row, confidence) for row in rows]

    def _write_plots(self, folder, matrix):
        evaluation, curves = self._scored
        names = self.class_names
        counts = truth_counts(self.images, len(names))
        recall, precision = precision_at_recall(evaluation)
        detection_plots.precision_recall(
            recall, precision, names, counts, folder / "precision_recall.png"
        )
        detection_plots.f1_over_confidence(
            CONFIDENCES, curves.f1, curves.best, names, counts, folder / "f1.png"
        )
        plots.confusion_matrix(matrix, [*names, BACKGROUND], folder / "confusion.png")

    def _write_samples(self, folder):
        shown = self.images, self._detections
        write_sheet(*shown, SHOWN_CONFIDENCE, self.class_names, folder / "validation.jpg")
        _, curves = self._scored
        best = float(CONFIDENCES[curves.best])
        write_worst(*shown, self._judge(best), best, self.class_names, folder / "worst.html")

    def _per_class(self) -> dict[str, dict[str, float | int | None]]:
        """Average precisions, and the others at the best confidence; None without truth."""
        evaluation, curves = self._scored
        boxes = truth_counts(self.images, len(self.class_names))
        rows = {}
        for label, averages in enumerate(class_metrics(evaluation)):
            values = {
                name: float(getattr(curves, name)[label, curves.best]) if boxes[label] else None
                for name in ("precision", "recall", "f1")
            }
            rows[self.class_names[label]] = averages | values | {"boxes": int(boxes[label])}
        return rows
