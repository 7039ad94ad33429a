"""The GAN application, as the engine sees it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.generative.gan import data, pictures
from apps.generative.gan.build import build_gan
from apps.generative.gan.config import GANConfig
from apps.generative.gan.evaluator import GANEvaluator, RealPictures
from apps.generative.gan.predictor import seed_predictor
from apps.generative.gan.serving import GeneratorServing
from shared.common import stream
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import LAST_EPOCH, App
from shared.engine.prediction.seed_predictor import SeedPredictor
from shared.engine.run import Run
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.image_store import ImageStore
from shared.image.levels import from_levels
from shared.image.remarks import image_remarks
from shared.image.skipped import report_skipped
from shared.metrics.feature_distances import FeatureNetwork
from shared.metrics.picture_classifier import PictureClassifier

SKIPPED = "skipped.csv"
JUDGE = "classifier.keras"
JUDGE_BATCH = 64
# One in this many real pictures is held back from the classifier that judges.
HELD_OUT = 10
# Real pictures that samples are compared with, and the bytes of their pixels.
MAX_REAL, MAX_REAL_BYTES = 10_000, 2**28


class GANApp(App):
    """Generative adversarial network: noise to pictures like those it was trained on."""

    name = "gan"
    config_class = GANConfig
    predict_input = "SEEDS.txt"
    # No loss of a GAN says how good its pictures are.
    monitor = LAST_EPOCH
    validation = "pictures made of the seeds from 1 on, against real ones"
    limits = (
        "Makes pictures that resemble the training pictures; they show nothing that exists, and "
        "must not be taken for photographs or records. What is rare in the data may be missing "
        "(see `classes_covered`), and single training pictures may come out again (see `copies`). "
        "The classes are counted by a small classifier, whose own accuracy on real pictures is "
        "`judge_accuracy`; it also names pictures that show nothing."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Finds and checks the pictures once; later from `images.jsonl`."""
        self._network: FeatureNetwork | None = None
        self._features(run)  # Missing weights are reported before the training, not after it.
        path = run.folder / IMAGES
        if not path.exists():
            self._write_pictures(run, path)
        self.files = read_images(pictures.Picture, path)
        self._stores: dict[str, ImageStore] = {}

    def _write_pictures(self, run: Run, path: Path) -> None:
        options = run.config.data_options
        found = pictures.usable_pictures(run.config.data, options)
        pictures.refuse_too_few(found, options)
        remarks = pictures.changed_sizes(found.headers, options)
        remarks += image_remarks(run.config.data, found.headers)
        report_skipped(found.skipped, run.folder / SKIPPED, remarks)
        run.artifacts = {
            "class_names": pictures.class_names(found.files),
            "channels": pictures.channels_of(found.headers, options),
            "train_images": len(found.files),
            "skipped_images": len(found.skipped),
        }
        run.save_artifacts()
        write_images(found.files, path)

    def steps_per_epoch(self, run: Run) -> int:
        per_step = run.config.batch_size * run.config.objective.critic_steps
        return stream.steps_per_epoch(len(of_split(self.files, TRAIN)), per_step)

    def items_per_step(self, run: Run) -> float:
        return run.config.batch_size * run.config.objective.critic_steps

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        classes = self._classes(run)
        if split != TRAIN:
            return data.evaluation_dataset(classes, run.config, run.worker)
        labels = self._labels(run, TRAIN) if classes else None
        channels = run.artifacts["channels"]
        store = self._store(run, TRAIN)
        return data.training_dataset(store, labels, channels, run.config, start_step, run.worker)

    def _classes(self, run: Run) -> int:
        """Number of classes that are learnt."""
        return len(run.artifacts["class_names"]) if run.config.data_options.labels else 0

    def _store(self, run: Run, split: str) -> ImageStore:
        """The pictures of a split, decoded once where they are cached."""
        if split not in self._stores:
            options, chosen = run.config.data_options, of_split(self.files, split)
            self._stores[split] = ImageStore(
                chosen,
                options.cache,
                len(chosen) * options.image_size**2,
                lambda image: data.resized(image, options),
            )
        return self._stores[split]

    def _labels(self, run: Run, split: str) -> np.ndarray:
        number = {name: index for index, name in enumerate(run.artifacts["class_names"])}
        return np.array([number.get(file.label, -1) for file in of_split(self.files, split)])

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        """Compares the samples with other pictures than the training's."""
        found = pictures.usable_pictures(data, run.config.data_options)
        pictures.refuse_too_few(found, replace(run.config.data_options, labels=False))
        held_out = [replace(file, split=VALIDATION) for file in found.files]
        self.files = of_split(self.files, TRAIN) + held_out
        self._stores.pop(VALIDATION, None)
        if run.is_chief:
            report_skipped(found.skipped, run.folder / "evaluation" / SKIPPED)

    def check(self, config: GANConfig) -> tuple[list[str], list[str]]:
        from apps.generative.gan.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        side = config.data_options.image_size
        model = build_gan(
            config.model,
            config.objective,
            (side, side, run.artifacts["channels"]),
            self._classes(run),
            synchronized=run.strategy.num_replicas_in_sync > 1,
        )
        optimization = config.optimization
        rate, steps = config.learning_rate, max(run.total_steps, 1)
        optimizers = {
            "generator": build_optimizer(optimization, rate, steps),
            "discriminator": build_optimizer(
                optimization, rate * config.objective.discriminator_rate, steps
            ),
        }
        model.compile(
            optimizers,
            optimization.clip_norm,
            optimization.micro_batches,
            config.objective.critic_steps,
        )
        return model

    # === Results ===

    def evaluator(self, run: Run) -> GANEvaluator:
        evaluation, names = run.config.evaluation, run.artifacts["class_names"]
        split = VALIDATION if of_split(self.files, VALIDATION) else TRAIN
        # Other pictures may have other classes, of which the samples are none.
        known = bool(names) and (self._labels(run, split) >= 0).all()
        judged = known and evaluation.classifier_steps
        return GANEvaluator(
            evaluation.samples,
            lambda: self._real(run, split),
            names if known else (),
            self._judge(run, split) if judged else None,
            self._network and (lambda: self._network),
            conditional=run.config.data_options.labels,
        )

    def _real(self, run: Run, split: str) -> RealPictures:
        chosen = self._chosen(run, split)
        store, channels = self._store(run, split), run.artifacts["channels"]
        found = [data.with_channels(store.load(index), channels).numpy() for index in chosen]
        labels = self._labels(run, split)[chosen] if run.artifacts["class_names"] else None
        return RealPictures(np.stack(found), labels)

    def _chosen(self, run: Run, split: str) -> np.ndarray:
        """Real pictures in an order of their own, as many as fit into memory."""
        count = len(of_split(self.files, split))
        size = run.config.data_options.image_size**2 * run.artifacts["channels"]
        order = np.random.default_rng(run.config.seed).permutation(count)
        return order[: min(MAX_REAL, max(MAX_REAL_BYTES // size, 4))]

    def _judge(self, run: Run, split: str) -> tuple[PictureClassifier, np.ndarray]:
        """The classifier, and the real pictures of the comparison that it has not seen."""
        judge = PictureClassifier(
            run.folder / JUDGE,
            lambda: self._judge_data(run),
            classes=len(run.artifacts["class_names"]),
            steps=run.config.evaluation.classifier_steps,
            seed=run.config.seed,
        )
        chosen = self._chosen(run, split)
        held_out = chosen % HELD_OUT == 0 if split == TRAIN else np.full(len(chosen), True)
        return judge, held_out

    def _judge_data(self, run: Run) -> tf.data.Dataset:
        """The training pictures without those that are held back, grey ones with equal channels."""
        store, channels = self._store(run, TRAIN), run.artifacts["channels"]
        kept = np.flatnonzero(np.arange(len(store)) % HELD_OUT != 0)
        labels = tf.constant(self._labels(run, TRAIN)[kept], tf.int32)
        indices = tf.constant(kept)

        def example(index, seed, step):
            picture = data.with_channels(store.load(indices[index]), channels)
            return tf.repeat(from_levels(picture), 3 // channels, axis=-1), labels[index]

        steps = stream.training_steps(len(kept), JUDGE_BATCH, run.config.seed ^ 2)
        examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)
        return examples.batch(JUDGE_BATCH).prefetch(tf.data.AUTOTUNE)

    def _features(self, run: Run) -> FeatureNetwork | None:
        """The network of FID and KID, loaded once."""
        evaluation = run.config.evaluation
        if self._network is None and evaluation.features != "none":
            self._network = FeatureNetwork(evaluation.features, evaluation.feature_weights)
        return self._network

    def remarks(self, metrics: dict[str, Any]) -> list[str]:
        return metrics.get("remarks", [])

    def serving(self, run: Run, model: keras.Model) -> dict[str, GeneratorServing]:
        classes = run.artifacts["class_names"] if run.config.data_options.labels else ()
        return {"": GeneratorServing(model, classes)}

    def predictor(self, saved_model: Path, label: str = "") -> SeedPredictor:
        return seed_predictor(saved_model, label)
