"""Batch inference of classification: image files to lines with labels."""

import numpy as np

from shared.common.files import printable
from shared.engine.multilabel.thresholds import labels_csv_row, labels_row
from shared.engine.prediction.image_predictor import ImagePredictor
from shared.image.thumbnail import input_thumbnail, jpeg_bytes


class ClassificationPredictor(ImagePredictor):
    """Reads image files and records the best labels and all probabilities.

    Args:
        class_names: names in the order of the probabilities.
        max_pixels: int. Larger images are rejected by their header.
    """

    def __init__(self, class_names: list[str], max_pixels: int):
        super().__init__(max_pixels)
        self.class_names = class_names

    def record(self, source, outputs):
        labels = [label.decode() for label in outputs["labels"]]
        scores = np.asarray(outputs["scores"], np.float64).round(6).tolist()
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(6).tolist()
        return {
            "label": labels[0],
            "score": scores[0],
            "labels": labels,
            "scores": scores,
            "probabilities": dict(zip(self.class_names, probabilities, strict=True)),
        }

    def pictures(self, row, source, folder):
        picture = jpeg_bytes(input_thumbnail(source, self.max_pixels))
        return [(picture, f"{printable(row['file'])}\n{row['label']} ({row['score']:.0%})")]


class LabelsPredictor(ClassificationPredictor):
    """Reads image files and records the labels that are present, and all probabilities."""

    outputs = ("probabilities", "present")

    def record(self, source, outputs):
        return labels_row(self.class_names, outputs)

    def csv_row(self, row):
        return labels_csv_row(row)

    def pictures(self, row, source, folder):
        picture = jpeg_bytes(input_thumbnail(source, self.max_pixels))
        named = ", ".join(f"{label} ({row['probabilities'][label]:.0%})" for label in row["labels"])
        return [(picture, f"{printable(row['file'])}\n{named or 'no label'}")]
