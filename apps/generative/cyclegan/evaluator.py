"""Metrics of translations: cycle and identity errors, a domain classifier, FID and KID."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.generative.cyclegan import gallery
from shared.engine.app import Evaluator
from shared.metrics.feature_distances import frechet_distance, kernel_distance

# Direction to the names of its real pictures and of its fakes.
DIRECTIONS = {"a2b": ("real_a", "fake_b"), "b2a": ("real_b", "fake_a")}

Judge = Callable[[np.ndarray], np.ndarray]
Features = Callable[[np.ndarray], np.ndarray]


class CycleGANEvaluator(Evaluator):
    """Cycle and identity L1 in -1..1; the report adds a domain classifier, FID and KID.

    Args:
        paths: "a" and "b" to the held-out files in the order of the data set.
        judge: pictures uint8 (N, H, W, 3) to int (N,), 0 where taken for A and 1 for B; or None.
        features: gives the feature network of FID and KID, or None.
    """

    def __init__(
        self,
        paths: dict[str, Sequence[str]],
        judge: Judge | None = None,
        features: Callable[[], Features] | None = None,
    ):
        self.paths = paths
        self._judge, self._features = judge, features
        self._collected: dict[str, list[np.ndarray]] = {}

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        for name, values in outputs.items():
            if name.startswith("has_"):
                continue
            # A translated picture has the row of its source, which is of the other domain.
            source = _source_of(name)
            self._collected.setdefault(name, []).append(values[outputs[f"has_{source}"]])

    def _all(self, name: str) -> np.ndarray:
        return np.concatenate(self._collected[name])

    def pictures(self) -> gallery.Pictures:
        """Name, such as "fake_b", to uint8 (N, H, W, 3)."""
        return {name: self._all(name) for name in self._collected if "_l1" not in name}

    def result(self) -> dict[str, float]:
        """Means over the images of a domain, and over both domains."""
        result = {}
        for measure in ("cycle_l1", "identity_l1"):
            sides = {
                name: float(self._all(name).astype(np.float64).mean())
                for name in sorted(self._collected)
                if name.startswith(measure)
            }
            result |= {measure: float(np.mean(list(sides.values()))), **sides}
        return result

    def after_epoch(self, folder: Path, epoch: int) -> None:
        gallery.write_grid(self.pictures(), folder / "samples" / f"epoch-{epoch:04d}.png")

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes the gallery; returns the scores of the judge and the feature network."""
        pictures = self.pictures()
        names = {side: [Path(path).name for path in paths] for side, paths in self.paths.items()}
        gallery.write_gallery(pictures, names, folder / "samples" / "gallery.html")
        metrics = self._judged(pictures) if self._judge else {}
        return metrics | (self._distances(pictures) if self._features else {})

    def _judged(self, pictures: gallery.Pictures) -> dict[str, float]:
        """Shares of pictures taken for the target domain, before and after translation."""
        is_b = {
            name: self._is_b(pictures[name])
            for direction in gallery.directions(pictures)
            for name in DIRECTIONS[direction]
        }
        right = [~self._is_b(pictures["real_a"]), self._is_b(pictures["real_b"])]
        metrics = {"judge_accuracy": float(np.mean([part.mean() for part in right]))}
        for direction in gallery.directions(pictures):
            before, after = (is_b[name] for name in DIRECTIONS[direction])
            if direction == "b2a":
                before, after = ~before, ~after
            metrics[f"{direction}_taken_before"] = float(before.mean())
            metrics[f"{direction}_taken"] = float(after.mean())
        return metrics

    def _is_b(self, pictures: np.ndarray) -> np.ndarray:
        return np.asarray(self._judge(pictures), bool)

    def _distances(self, pictures: gallery.Pictures) -> dict[str, float]:
        """FID and KID of the fakes to the real held-out pictures of their domain."""
        network = self._features()
        metrics = {}
        for direction in gallery.directions(pictures):
            fake = network(pictures[DIRECTIONS[direction][1]])
            real = network(pictures[f"real_{direction[-1]}"])
            metrics[f"{direction}_fid"] = frechet_distance(real, fake)
            metrics[f"{direction}_kid"] = kernel_distance(real, fake)
        return metrics


def _source_of(name: str) -> str:
    """The domain of the real picture that an output was made from: A for "fake_b"."""
    domain = name[-1]
    if name.startswith("fake_"):
        return "b" if domain == "a" else "a"
    return domain
