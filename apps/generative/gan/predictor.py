"""Batch inference of a GAN: lines of seeds to PNG files."""

from pathlib import Path

from apps.generative.gan.serving import LABELS
from shared.common.names import read_names
from shared.engine.prediction.seed_predictor import SeedPredictor, require_class
from shared.engine.saved_model.saved_models import EXTRA


def seed_predictor(saved_model: Path, label: str = "") -> SeedPredictor:
    """The predictor of an exported generator.

    Args:
        saved_model: its folder.
        label: class of all pictures, which the model has to know; "" for none.
    """
    file = saved_model / EXTRA / LABELS
    classes = read_names(file) if file.is_file() else []
    if label:
        require_class(label, classes, "--label")
    return SeedPredictor(classes)
