"""The CycleGAN application, as the engine sees it."""

from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from apps.generative.cyclegan import data, domains
from apps.generative.cyclegan.config import CycleGANConfig
from apps.generative.cyclegan.cycle_gan import CycleGAN
from apps.generative.cyclegan.domains import DOMAINS
from apps.generative.cyclegan.evaluator import CycleGANEvaluator
from apps.generative.cyclegan.predictor import TranslationPredictor
from apps.generative.cyclegan.serving import TranslationServing
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import LAST_EPOCH, App
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.image_store import ImageStore
from shared.image.levels import from_levels
from shared.image.remarks import image_remarks
from shared.image.skipped import report_skipped
from shared.metrics.feature_distances import FeatureNetwork
from shared.metrics.picture_classifier import PictureClassifier

SKIPPED = "skipped.csv"
JUDGE = "domain_classifier.keras"
# Pairs in a batch of the domain classifier.
JUDGE_BATCH = 16


class CycleGANApp(App):
    """Image-to-image translation between two domains, learned without pairs."""

    name = "cyclegan"
    config_class = CycleGANConfig
    # A generator that changes nothing has the smallest cycle error.
    monitor = LAST_EPOCH
    limits = (
        "Translates colours, textures and style; it seldom changes shapes. What a picture shows "
        "may be altered: no measurement should be read off a translated picture. Pictures that "
        "belong to neither domain give results that mean nothing."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Finds, checks and splits the images once; later from `images.jsonl`."""
        self._network: FeatureNetwork | None = None
        self._features(run)  # Missing weights are reported before the training, not after it.
        path = run.folder / IMAGES
        if not path.exists():
            self._write_split(run, path)
        self.files = read_images(domains.DomainFile, path)
        self._stores: dict[tuple[str, str], ImageStore] = {}

    def _write_split(self, run: Run, path: Path) -> None:
        options = run.config.data_options
        found = domains.usable_files(domains.find_files(run.config.data), options)
        files = domains.split_files(found, options.validation_split, run.config.seed)
        remarks = image_remarks(run.config.data, found.headers)
        report_skipped(found.skipped, run.folder / SKIPPED, remarks)
        run.artifacts = {
            f"{split}_images_{domain}": len(_select(files, domain, split))
            for split in (TRAIN, VALIDATION)
            for domain in DOMAINS
        }
        run.artifacts["skipped_images"] = len(found.skipped)
        run.save_artifacts()
        write_images(files, path)

    def steps_per_epoch(self, run: Run) -> int:
        largest = max(len(_select(self.files, domain, TRAIN)) for domain in DOMAINS)
        return stream.steps_per_epoch(largest, run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        stores = {domain: self._store(run, domain, split) for domain in DOMAINS}
        if split != TRAIN:
            return data.evaluation_dataset(stores, run.config, run.worker)
        return data.training_dataset(
            stores,
            run.config.data_options,
            run.config.batch_size,
            run.config.seed,
            start_step,
            run.worker,
        )

    def _store(self, run: Run, domain: str, split: str) -> ImageStore:
        """The images of a domain and split, loaded once where they are cached."""
        if (domain, split) not in self._stores:
            options = run.config.data_options
            chosen = _select(self.files, domain, split)
            transform = data.resize_for_training if split == TRAIN else data.evaluation_image
            # Unknown where images keep their sizes; "auto" then reads them anew each time.
            pixels = data.load_size(options) ** 2 if options.resize != "none" else 0
            self._stores[domain, split] = ImageStore(
                chosen,
                options.cache,
                len(chosen) * pixels,
                lambda image: transform(image, options),
            )
        return self._stores[domain, split]

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        """Evaluates on `testA` and `testB` of other data, or on all of it."""
        found = domains.usable_files(domains.find_files(data), run.config.data_options)
        own = of_split(found.files, VALIDATION) or found.files
        for domain in DOMAINS:
            if not any(file.domain == domain for file in own):
                raise KerasuiteError(
                    f"{' '.join(data)}: no usable image of domain {domain.upper()}"
                )
        held_out = [replace(file, split=VALIDATION) for file in own]
        self.files = of_split(self.files, TRAIN) + held_out
        self._stores.clear()
        if run.is_chief:
            report_skipped(found.skipped, run.folder / "evaluation" / SKIPPED)

    def check(self, config: CycleGANConfig) -> tuple[list[str], list[str]]:
        from apps.generative.cyclegan.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        model = CycleGAN(config.model, config.loss, config.data_options.image_size)
        optimizers = {
            name: build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
            for name in ("generator", "discriminator")
        }
        optimization = config.optimization
        model.compile(optimizers, optimization.clip_norm, optimization.micro_batches)
        return model

    # === Results ===

    def evaluator(self, run: Run) -> CycleGANEvaluator:
        evaluation = run.config.evaluation
        paths = {
            domain: [file.path for file in _select(self.files, domain, VALIDATION)]
            for domain in DOMAINS
        }
        judge = None
        if evaluation.classifier_steps:
            judge = PictureClassifier(
                run.folder / JUDGE,
                lambda: self._judge_data(run),
                classes=len(DOMAINS),
                steps=evaluation.classifier_steps,
                seed=run.config.seed,
            ).classes_of
        return CycleGANEvaluator(paths, judge, self._features(run))

    def _features(self, run: Run) -> FeatureNetwork | None:
        """The network of FID and KID, loaded once."""
        evaluation = run.config.evaluation
        if self._network is None and evaluation.features != "none":
            self._network = FeatureNetwork(evaluation.features, evaluation.feature_weights)
        return self._network

    def _judge_data(self, run: Run) -> tf.data.Dataset:
        """As many training images of A (0) as of B (1), in another order than in the training."""
        stores = {domain: self._store(run, domain, TRAIN) for domain in DOMAINS}
        seed = run.config.seed ^ 2
        batches = data.training_dataset(stores, run.config.data_options, JUDGE_BATCH, seed)
        return batches.map(
            lambda batch: (
                tf.concat([batch["a"], batch["b"]], axis=0),
                tf.repeat([0, 1], [len(batch["a"]), len(batch["b"])]),
            )
        )

    def serving(self, run: Run, model: keras.Model) -> dict[str, TranslationServing]:
        served = {"a2b": TranslationServing(model.a2b, "a2b")}
        if model.both_sides:
            served["b2a"] = TranslationServing(model.b2a, "b2a")
        return served

    def network_serving(self, config, facts, folder, network):
        def generator(images, training=False):
            return from_levels(network((images + 1.0) * 127.5))

        return TranslationServing(generator, facts["direction"])

    def predictor(
        self, saved_model: Path, direction: str | None = None, max_pixels: int = 4_000_000
    ) -> TranslationPredictor:
        own = (extra_folder(saved_model) / "direction.txt").read_text(encoding="utf-8").strip()
        if direction not in (None, own):
            raise KerasuiteError(f"--direction {direction}: {saved_model} translates {own}")
        return TranslationPredictor(max_pixels)


def _select(files: list[domains.DomainFile], domain: str, split: str) -> list[domains.DomainFile]:
    return [file for file in files if file.domain == domain and file.split == split]
