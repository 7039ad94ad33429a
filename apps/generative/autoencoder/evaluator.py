"""Metrics of autoencoders and their pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from apps.generative.autoencoder import figures
from apps.generative.autoencoder.coder import Coder
from apps.generative.autoencoder.config import SPARSE, VARIATIONAL, AutoencoderConfig
from apps.generative.autoencoder.sparsity import l1_penalty, rate_divergence
from shared.engine.app import Evaluator
from shared.metrics.image_quality import psnr
from shared.report.mosaic import write_mosaic

SHOWN = 8  # pictures in a row
BEST_PSNR = 100.0  # dB; stands for "equal", which would be infinite
ACTIVE = 0.01  # variance of a code's mean over pictures, from which on it carries information


class AutoencoderEvaluator(Evaluator):
    """Reconstruction error and the terms of the loss; the report adds what the codes are good for.

    Args:
        config: of the run.
        labels: name of the folder of each picture, in the order of the data set.
        coder: of the model.
        anomalies: gives unusual pictures, uint8 (N, S, S, C); or None.
    """

    def __init__(
        self,
        config: AutoencoderConfig,
        labels: Sequence[str],
        coder: Coder,
        anomalies: Callable[[], np.ndarray] | None = None,
    ):
        self.config, self.labels, self.coder = config, list(labels), coder
        self._anomalies = anomalies
        self._found: dict[str, list[np.ndarray]] = {}

    def update(self, batch: Any, outputs: dict[str, np.ndarray]) -> None:
        scores = {"psnr": outputs["reconstruction"]}
        if "input" in outputs:
            scores["noisy_psnr"] = outputs["input"]
        for name, made in scores.items():
            pairs = zip(made, outputs["target"], strict=True)
            values = [min(psnr(one, truth), BEST_PSNR) for one, truth in pairs]
            self._found.setdefault(name, []).append(np.array(values))
        for name, values in outputs.items():
            self._found.setdefault(name, []).append(values)

    def _all(self, name: str) -> np.ndarray:
        return np.concatenate(self._found[name])

    def _mean(self, name: str) -> float:
        return float(self._all(name).astype(np.float64).mean())

    # === Figures ===

    def result(self) -> dict[str, float]:
        """Means over the pictures; in nats where nothing else is said."""
        loss, terms = self._loss()
        shown = ("mse", "psnr", "noisy_psnr")
        return {"loss": loss, **terms} | {n: self._mean(n) for n in shown if n in self._found}

    def _loss(self) -> tuple[float, dict[str, float]]:
        """The loss over all pictures, and its terms without their weights."""
        options, nats = self.config.loss, self._mean("nats")
        terms = {"reconstruction": nats}
        if self.config.model.kind == VARIATIONAL:
            divergence = self._mean("kl")
            terms |= {"kl": divergence, "elbo": -nats - divergence}
            return nats + options.beta * divergence, terms
        if self.config.model.kind != SPARSE:
            return nats, terms
        codes = self._all("code")
        if options.sparsity == "l1":
            penalty = np.mean(l1_penalty(codes))
        else:
            penalty = rate_divergence(codes.mean(axis=0), options.target_rate)
        terms["mean_activation"] = float(codes.mean(dtype=np.float64))
        return nats + options.sparsity_weight * float(penalty), terms

    # === Pictures ===

    def after_epoch(self, folder: Path, epoch: int) -> None:
        """Pictures, with their noise, above their reconstructions; then samples of the prior."""
        names = [name for name in ("target", "input", "reconstruction") if name in self._found]
        count = sum(map(len, self._found["target"]))
        # From all over the data, which are in the order of their folders.
        shown = np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int)
        rows = [self._all(name)[shown] for name in names]
        if self.config.model.kind == VARIATIONAL:
            rows.append(self.coder.sample(len(rows[0])))
        path = folder / "samples" / f"epoch-{epoch:04d}.png"
        write_mosaic(np.concatenate(rows), path, columns=len(rows[0]))

    def report(self, folder: Path) -> dict[str, Any]:
        """Draws the map of the codes, a walk and the largest errors; returns further figures."""
        pictures = self._all("target")
        codes, made, errors = self.coder.code(pictures)
        plots = folder / "plots"
        figures.write_largest_errors(pictures, made, errors, plots / "largest_errors.png")
        if len(pictures) > 1:
            pairs = figures.pairs_of(self.labels)
            figures.write_walk(pictures, codes, pairs, self.coder.decode, plots / "walk.png")
        if len(pictures) > 2:
            method, seed = self.config.evaluation.projection, self.config.seed
            figures.write_map(codes, self.labels, method, seed, plots / "codes.png")
        found: dict[str, Any] = {"pictures": len(pictures)}
        if self.config.model.kind == VARIATIONAL:
            found |= self._variational(pictures, codes)
        if self._anomalies is not None:
            found |= self._detected(errors, plots / "anomalies.png")
        return found

    def _variational(self, pictures: np.ndarray, codes: np.ndarray) -> dict[str, Any]:
        """The importance-weighted bound, and how many numbers of the code tell pictures apart.

        Reference: [Burda et al., 2015](https://arxiv.org/abs/1509.00519), section 5
        """
        found: dict[str, Any] = {"active_units": int((codes.var(axis=0) > ACTIVE).sum())}
        samples = self.config.evaluation.bound_samples
        if samples:
            bound = self.coder.importance_weighted_bound(pictures, samples, self.config.seed)
            found["importance_weighted_bound"] = float(bound.mean(dtype=np.float64))
        return found

    def _detected(self, errors: np.ndarray, path: Path) -> dict[str, Any]:
        """How well the error tells unusual pictures from the usual ones."""
        unusual = self.coder.code(self._anomalies())[2]
        figures.write_errors(errors, unusual, path)
        return {"anomaly_auroc": auroc(errors, unusual), "anomalies": len(unusual)}


def auroc(usual: np.ndarray, unusual: np.ndarray) -> float:
    """Probability that an unusual picture has a larger error than a usual one.

    Args:
        usual, unusual: float (N,) and (M,), errors.
    """
    truth = np.repeat([0, 1], [len(usual), len(unusual)])
    return float(roc_auc_score(truth, np.concatenate([usual, unusual])))
