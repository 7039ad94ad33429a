"""A page of the rows that a network was most wrong about."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.tables.perceptrons.columns.schema import Schema
from shared.report.page import Page

SHOWN, MAX_COLUMNS, MAX_LENGTH = 50, 12, 60


def worst_classes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Indices of the wrong rows, those first that the network was most sure of.

    Args:
        labels: int array (N,).
        probabilities: float array (N, C).
    """
    predicted, confidence = probabilities.argmax(-1), probabilities.max(-1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-confidence[wrong], kind="stable")][:SHOWN]


def worst_numbers(targets: np.ndarray, predictions: np.ndarray, deviations) -> np.ndarray:
    """Indices of the rows whose predictions are furthest off.

    Args:
        targets, predictions: float arrays (N, T).
        deviations: of the targets (T,).
    """
    errors = np.abs((predictions - targets) / deviations).max(axis=1)
    return np.argsort(-errors, kind="stable")[:SHOWN]


def write_mistakes(
    schema: Schema,
    answers: Sequence[Sequence[str]],
    cells: Sequence[Sequence[str]],
    path: Path,
) -> None:
    """Writes the page.

    Args:
        schema: columns and target.
        answers: of each row the true and the predicted values as texts.
        cells: of each row its cells in the order of the inputs.
        path: file to write.
    """
    page = Page("Largest errors")
    names = [column.name for column in schema.inputs][:MAX_COLUMNS]
    if not answers:
        page.text("No held-out row was predicted wrongly.")
    else:
        more = len(schema.inputs) - len(names)
        page.text(
            f"The {len(answers):,} held-out rows that the network was most wrong about, the worst "
            f"first" + (f"; {more:,} columns are not shown." if more else ".")
        )
        page.table(
            [[*answer, *(cell[:MAX_LENGTH] for cell in row[:MAX_COLUMNS])]
             for answer, row in zip(answers, cells, strict=True)],
            ["true", "predicted", *names],
        )  # fmt: skip
    page.write(path)
