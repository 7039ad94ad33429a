"""Influence of columns on predictions: permutation importance and partial dependence."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from apps.tables.perceptrons.columns.schema import Slots
from apps.tables.perceptrons.rows import Rows

# Of features to predictions (N, outputs).
Predict = Callable[[Mapping[str, np.ndarray]], np.ndarray]
REPEATS = 3


def permutation_importance(
    predict: Predict,
    error: Callable[[np.ndarray, np.ndarray], float],
    rows: Rows,
    slots: Mapping[str, Slots],
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """How much the error grows where a column is shuffled among the rows.

    Args:
        predict: the model.
        error: of (targets, predictions).
        rows: rows with targets.
        slots: where each column stands in the features.
        seed: int. Of the shuffles.

    Returns:
        Name of each column to "importance", the mean of some shuffles, and their "deviation"; the
        largest first.

    Reference: [Breiman, 2001, section 10](https://doi.org/10.1023/A:1010933404324)
    """
    generator = np.random.default_rng(seed)
    base = error(rows.targets, predict(rows.features))
    found = {}
    for name, places in slots.items():
        growth = []
        for _ in range(REPEATS):
            order = generator.permutation(len(rows))
            shuffled = with_column(rows, places, rows[order])
            growth.append(error(rows.targets, predict(shuffled.features)) - base)
        found[name] = {"importance": float(np.mean(growth)), "deviation": float(np.std(growth))}
    return dict(sorted(found.items(), key=lambda item: -item[1]["importance"]))


def partial_dependence(predict: Predict, rows: Rows, places: Slots, grid: Rows) -> np.ndarray:
    """The mean prediction where all rows have the same value in a column.

    Args:
        predict: the model.
        rows: rows that the mean is over.
        places: where the column stands in the features.
        grid: rows of which the values of the column are taken.

    Returns:
        float array (G, outputs).

    Reference: [Friedman, 2001, section 8.2](https://doi.org/10.1214/aos/1013203451)
    """
    means = []
    for index in range(len(grid)):
        same = grid[np.full(len(rows), index)]
        means.append(predict(with_column(rows, places, same).features).mean(axis=0))
    return np.stack(means)


def with_column(rows: Rows, places: Slots, other: Rows) -> Rows:
    """Rows in which one column is that of other rows.

    Args:
        rows: the rows.
        places: where the column stands in the features.
        other: as many rows.
    """
    numbers, categories = rows.numbers.copy(), rows.categories.copy()
    indices = list(places.numbers)
    numbers[:, indices] = other.numbers[:, indices]
    if places.category is not None:
        categories[:, places.category] = other.categories[:, places.category]
    return dataclasses.replace(rows, numbers=numbers, categories=categories)
