"""The autoencoder application, as the engine sees it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.generative.autoencoder import data
from apps.generative.autoencoder.autoencoder import Autoencoder
from apps.generative.autoencoder.coder import Coder
from apps.generative.autoencoder.config import VARIATIONAL, AutoencoderConfig
from apps.generative.autoencoder.evaluator import AutoencoderEvaluator
from apps.generative.autoencoder.pictures import (
    Picture,
    large_code,
    left_outside,
    read_pictures,
    resized_pictures,
    split_pictures,
    turned_grey,
)
from apps.generative.autoencoder.predictor import CodePredictor
from apps.generative.autoencoder.serving import FACTS, AutoencoderServing
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.common.files import read_json
from shared.common.messages import warn
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import App
from shared.engine.prediction.seed_predictor import SeedPredictor
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.image_store import ImageStore
from shared.image.remarks import image_remarks
from shared.image.skipped import report_skipped

SKIPPED = "skipped.csv"


class AutoencoderApp(App):
    """Pictures to codes of a few numbers, and codes to pictures."""

    name = "autoencoder"
    config_class = AutoencoderConfig
    monitor = ("val_loss", "min")
    validation = "the held-out pictures"
    reference = "noisy"
    limits = (
        "Reconstructions lose what few training pictures have in common: small details, sharp "
        "edges, rare shapes. A large error says that a picture is unlike the training pictures, "
        "not that something is wrong with it, and a small one does not prove the contrary: plain "
        "pictures are easily reconstructed, also such as were never seen. Codes of two trainings "
        "cannot be compared with each other."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Finds, checks and splits the pictures once; later from `images.jsonl`."""
        if not (run.folder / IMAGES).exists():
            self._write_split(run)
        self.files = read_images(Picture, run.folder / IMAGES)
        self._stores: dict[str, ImageStore] = {}
        self._model: Autoencoder | None = None

    def _write_split(self, run: Run) -> None:
        config, options = run.config, run.config.data_options
        found = read_pictures(config.data, options)
        files = split_pictures(found.files, options.validation_split, config.seed)
        channels = found.channels(options.colour)
        run.artifacts = {
            "train_images": len(of_split(files, TRAIN)),
            "validation_images": len(of_split(files, VALIDATION)),
            "skipped_images": len(found.skipped),
            "channels": channels,
        }
        remarks = image_remarks(config.data, found.headers) + left_outside(found)
        remarks += turned_grey(found, channels) + resized_pictures(found.headers, options)
        remarks += large_code(config.model.code, options.image_size, channels)
        report_skipped(found.skipped, run.folder / SKIPPED, remarks)
        run.save_artifacts()
        write_images(files, run.folder / IMAGES)

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(of_split(self.files, TRAIN)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        store, channels = self._store(run, split), run.artifacts["channels"]
        if split != TRAIN:
            return data.evaluation_dataset(store, channels, run.config, run.worker)
        return data.training_dataset(store, channels, run.config, start_step, run.worker)

    def _store(self, run: Run, split: str) -> ImageStore:
        if split not in self._stores:
            self._stores[split] = _resized_store(of_split(self.files, split), run.config)
        return self._stores[split]

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        found = read_pictures(data, run.config.data_options)
        own = of_split(found.files, VALIDATION) or found.files
        self.files = of_split(self.files, TRAIN) + [replace(f, split=VALIDATION) for f in own]
        self._stores.clear()
        if run.is_chief:
            remarks = turned_grey(found, run.artifacts["channels"])
            remarks += resized_pictures(found.headers, run.config.data_options)
            report_skipped(found.skipped, run.folder / "evaluation" / SKIPPED, remarks)

    def check(self, config: AutoencoderConfig) -> tuple[list[str], list[str]]:
        from apps.generative.autoencoder.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config, size = run.config, run.config.data_options.image_size
        shape = (size, size, run.artifacts["channels"])
        self._model = Autoencoder(config.model, config.loss, shape, name="autoencoder")
        self._model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return self._model

    # === Results ===

    def evaluator(self, run: Run) -> AutoencoderEvaluator:
        config = run.config
        config.evaluation.refuse_missing_anomalies()
        labels = [file.label for file in of_split(self.files, VALIDATION)]

        def anomalies() -> np.ndarray:
            found = read_pictures([config.evaluation.anomalies], config.data_options)
            if found.skipped:
                warn(f"--anomalies: {len(found.skipped)} picture(s) cannot be read; left out")
            store = _resized_store(found.files, config)
            return load_levels(store, run.artifacts["channels"])

        unusual = anomalies if config.evaluation.anomalies else None
        return AutoencoderEvaluator(config, labels, Coder(self._model), unusual)

    def remarks(self, metrics: dict[str, Any]) -> list[str]:
        active = metrics.get("active_units")
        if active is None:
            return []
        return [
            f"{active} numbers of the code differ between pictures; the others have fallen back on "
            f"the prior and say nothing."
        ]

    def serving(self, run: Run, model: keras.Model) -> dict[str, AutoencoderServing]:
        return {"": AutoencoderServing(model, run.config)}

    def predictor(
        self, saved_model: Path, max_pixels: int = 100_000_000, from_seeds: bool = False
    ) -> CodePredictor | SeedPredictor:
        facts = read_json(extra_folder(saved_model) / FACTS)
        if not from_seeds:
            return CodePredictor(facts["channels"], max_pixels)
        if facts["kind"] != VARIATIONAL:
            raise KerasuiteError(
                f"{saved_model}: is of --kind {facts['kind']}, whose codes have no known "
                f"distribution to draw from; train with --kind {VARIATIONAL}"
            )
        return SeedPredictor(signature="generate")


def _resized_store(files: list[Picture], config: AutoencoderConfig) -> ImageStore:
    options = config.data_options
    pixels = len(files) * options.image_size**2
    return ImageStore(files, options.cache, pixels, lambda image: data.resized(image, options))


def load_levels(store: ImageStore, channels: int) -> np.ndarray:
    """All pictures of a store as the model sees them, uint8 (N, S, S, C)."""
    pictures = tf.data.Dataset.range(len(store)).map(
        lambda index: tf.cast(data.model_input(store.load(index), channels) * 255.0 + 0.5, tf.uint8)
    )
    return np.stack(list(pictures.as_numpy_iterator()))
