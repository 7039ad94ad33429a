"""The thresholds of a run with several labels: chosen on a part of the training data."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from shared.common.errors import UsageError
from shared.common.files import read_json, write_json
from shared.common.messages import warn
from shared.common.splits import THRESHOLDS
from shared.engine.app import App
from shared.engine.multilabel.evaluator import MultilabelEvaluator
from shared.engine.run import Run
from shared.engine.training.evaluate import evaluate
from shared.metrics.multilabel import THRESHOLD, best_thresholds

FILE = "thresholds.json"
DIGITS = 6
# Share of the training data that chooses the thresholds.
SHARE = 0.1


def choose_thresholds(
    app: App, run: Run, model: Any, evaluator: MultilabelEvaluator
) -> list[float]:
    """Chooses the threshold of each label on the split "thresholds", and keeps them in the run.

    Args:
        app, run, model: the application, its run and its best model.
        evaluator: a fresh one of the split.
    """
    evaluate(app, run, model, THRESHOLDS, evaluator=evaluator)
    chosen = None
    if run.is_chief:
        targets, names = evaluator.targets, evaluator.names
        chosen = best_thresholds(targets, evaluator.probabilities).round(DIGITS).tolist()
        absent = [name for name, some in zip(names, targets.any(axis=0), strict=True) if not some]
        if absent:
            warn(
                f"no example of {', '.join(absent)} is among the {len(targets):,} that thresholds "
                f"are chosen on (--threshold-split); {THRESHOLD} is used"
            )
        write_json(run.folder / FILE, dict(zip(names, chosen, strict=True)))
    return run.workers.broadcast(chosen)


def refuse_threshold_split(share: float) -> None:
    """Raises UsageError if --threshold-split is given for data with one class an example."""
    if share != SHARE:
        raise UsageError(
            f"--threshold-split {share}: chooses the thresholds of several labels, and these data "
            f"have none; leave it out"
        )


def known_thresholds(run: Run, names: list[str]) -> list[float]:
    """The thresholds that a finished run has chosen; `THRESHOLD` during a training.

    A resumed training is thus measured as one that was not stopped.
    """
    path = run.folder / FILE
    if run.is_training or not path.is_file():
        return [THRESHOLD] * len(names)
    kept = read_json(path)
    return [kept[name] for name in names]


def thresholds_asset(names: list[str], thresholds: list[float]) -> dict[str, str]:
    """The file of the thresholds, for `ServingModule.extra_assets`."""
    values = dict(zip(names, thresholds, strict=True))
    return {FILE: json.dumps(values, indent=2, ensure_ascii=False) + "\n"}


def has_thresholds(extra: Path) -> bool:
    """Whether a folder of an export belongs to a model of several labels."""
    return (extra / FILE).is_file()


def labels_row(names: list[str], outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """The row of predictions.jsonl: the labels that are present, the likeliest first, with scores.

    Args:
        names: of the labels.
        outputs: "probabilities" float (C,) and "present" bool (C,).
    """
    probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
    by_name = dict(zip(names, probabilities, strict=True))
    found = [name for name, some in zip(names, outputs["present"], strict=True) if some]
    found.sort(key=by_name.get, reverse=True)
    return {
        "labels": found, "scores": [by_name[name] for name in found], "probabilities": by_name,
    }  # fmt: skip


def labels_csv_row(row: dict[str, Any]) -> dict[str, Any]:
    """The same for predictions.csv: labels as training data have them, a;b."""
    if "labels" not in row:
        return row
    return row | {"labels": ";".join(row["labels"]), "scores": ";".join(map(str, row["scores"]))}
