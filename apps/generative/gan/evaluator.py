"""Metrics of generated pictures: classes covered, distances to real ones, copies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.generative.gan.data import WALK_STEPS
from shared.engine.app import Evaluator
from shared.metrics.feature_distances import frechet_distance, kernel_distance
from shared.metrics.nearest import nearest
from shared.metrics.picture_classifier import PictureClassifier
from shared.report.mosaic import write_mosaic

GRID = 64
NEAREST_SHOWN = 16
SURE = 0.9
# A class that has less than this part of its fair share of the samples is missing.
MIN_SHARE = 0.1
# Samples that differ less than this part of what real pictures do are alike.
MIN_DIVERSITY = 0.5
# Distances between real pictures below this percentile are those of near copies.
COPY_PERCENTILE = 1.0

Features = Callable[[np.ndarray], np.ndarray]


@dataclass
class RealPictures:
    """Real pictures that samples are compared with.

    Attributes:
        pictures: uint8 (N, S, S, C).
        labels: int (N,), or None without classes.
    """

    pictures: np.ndarray
    labels: np.ndarray | None = None


class GANEvaluator(Evaluator):
    """The diversity of samples; the report adds what takes real pictures.

    Args:
        samples: int. Number of samples among the outputs; those behind are walks.
        real: gives the real pictures.
        class_names: of the real pictures; empty without.
        judge: a classifier trained on real pictures and the rows of `real` that it was not
            trained on, or None.
        network: gives the feature network of FID and KID, or None.
        conditional: whether the samples were made of classes in turn.
    """

    def __init__(
        self,
        samples: int,
        real: Callable[[], RealPictures],
        class_names: Sequence[str] = (),
        judge: tuple[PictureClassifier, np.ndarray] | None = None,
        network: Callable[[], Features] | None = None,
        conditional: bool = False,
    ):
        self.samples, self._real, self.class_names = samples, real, list(class_names)
        self._judge, self._network, self.conditional = judge, network, conditional
        self._collected: list[np.ndarray] = []

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        self._collected.append(outputs)

    def pictures(self) -> np.ndarray:
        """The samples, uint8 (N, S, S, C)."""
        return np.concatenate(self._collected)[: self.samples]

    def walks(self) -> np.ndarray:
        """The pictures on the walks between seeds."""
        return np.concatenate(self._collected)[self.samples :]

    def result(self) -> dict[str, float]:
        return {"diversity": diversity(self.pictures())}

    def after_epoch(self, folder: Path, epoch: int) -> None:
        write_mosaic(self.pictures()[:GRID], folder / "samples" / f"epoch-{epoch:04d}.png")

    # === Against real pictures ===

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes the pictures; returns the metrics."""
        pictures, real = self.pictures(), self._real()
        write_mosaic(pictures[:GRID], folder / "samples" / "samples.png")
        write_mosaic(real.pictures[:GRID], folder / "samples" / "real.png")
        if len(walks := self.walks()):
            write_mosaic(walks, folder / "samples" / "walks.png", columns=WALK_STEPS)
        metrics: dict[str, Any] = {"diversity_real": diversity(real.pictures)}
        metrics |= _copies(pictures, real.pictures, folder / "samples" / "nearest.png")
        if self._judge:
            metrics |= self._judged(pictures, real)
        if self._network:
            network = self._network()
            features = network(_coloured(pictures)), network(_coloured(real.pictures))
            metrics |= distances("fid", *features)
            metrics["kid"] = kernel_distance(features[1], features[0])
        return metrics | {"remarks": remarks(self.result() | metrics)}

    def _judged(self, pictures: np.ndarray, real: RealPictures) -> dict[str, Any]:
        """Measures by the classifier: how many classes, how evenly, how surely, how near."""
        judge, held_out = self._judge
        found = judge.probabilities(_coloured(pictures))
        of_real = judge.probabilities(_coloured(real.pictures))
        shares = np.bincount(found.argmax(axis=1), minlength=len(self.class_names)) / len(found)
        right = of_real.argmax(axis=1) == real.labels
        features = (judge.features(_coloured(each)) for each in (pictures, real.pictures))
        missing = [
            name
            for name, share in zip(self.class_names, shares, strict=True)
            if share < MIN_SHARE / len(shares)
        ]
        metrics = {
            "judge_accuracy": float(right[held_out].mean()),
            "classes": len(shares),
            "classes_covered": len(shares) - len(missing),
            "smallest_class": float(shares.min()),
            "class_entropy": entropy(shares),
            "class_entropy_even": float(np.log(len(shares))),
            "sure": float((found.max(axis=1) > SURE).mean()),
            "sure_real": float((of_real.max(axis=1) > SURE).mean()),
            **distances("frechet", *features),
            "class_shares": dict(zip(self.class_names, shares.tolist(), strict=True)),
            "missing_classes": missing,
        }
        if self.conditional:
            wanted = np.arange(1, len(found) + 1) % len(shares)
            metrics["right_class"] = float((found.argmax(axis=1) == wanted).mean())
        return metrics


def diversity(pictures: np.ndarray) -> float:
    """How much pictures differ: the root mean square deviation from their mean, in levels."""
    return float(np.sqrt(pictures.astype(np.float32).var(axis=0).mean()))


def entropy(shares: np.ndarray) -> float:
    """Entropy of shares in nats."""
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def distances(name: str, samples: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Fréchet distance of samples to real pictures, and between two halves of the real ones.

    All three sets are equally large, as the distance depends on their size.

    Args:
        name: name of the metric.
        samples, real: features (N, D) and (M, D).
    """
    count = min(len(samples), len(real) // 2)
    if count < 2:
        return {}
    first, second = real[:count], real[count : 2 * count]
    return {
        name: frechet_distance(first, samples[:count]),
        f"{name}_real": frechet_distance(first, second),
    }


def _copies(pictures: np.ndarray, real: np.ndarray, path: Path) -> dict[str, float]:
    """How many samples are nearer to a real picture than real ones that are near copies.

    Also writes the nearest real picture below each of some samples.
    """
    apart, index = nearest(pictures, real)
    between, _ = nearest(real, real, same=True)
    shown = min(NEAREST_SHOWN, len(pictures))
    both = np.concatenate([pictures[:shown], real[index[:shown]]])
    write_mosaic(both, path, columns=shown)
    limit = float(np.percentile(between, COPY_PERCENTILE))
    return {
        "nearest_real": float(np.median(apart)),
        "nearest_between_real": float(np.median(between)),
        "copies": float((apart < limit).mean()),
    }


def _coloured(pictures: np.ndarray) -> np.ndarray:
    return pictures if pictures.shape[-1] == 3 else pictures.repeat(3, axis=-1)


def remarks(metrics: dict[str, Any]) -> list[str]:
    """Sentences on what the metrics say of collapse and copies."""
    lines = []
    if missing := metrics.get("missing_classes"):
        lines.append(
            f"Mode collapse: {len(missing)} of {metrics['classes']} classes are missing among the "
            f"samples or nearly so ({', '.join(missing[:20])})."
        )
    if metrics["diversity"] < MIN_DIVERSITY * metrics["diversity_real"]:
        lines.append(
            f"Mode collapse: the samples differ by {metrics['diversity']:.1f} levels, real "
            f"pictures by {metrics['diversity_real']:.1f}."
        )
    if metrics["copies"] > 0.1:
        lines.append(
            f"Copies: {metrics['copies']:.0%} of the samples are as near to a training picture as "
            f"the nearest 1 % of these are to one another."
        )
    return lines
