"""The classification application, as the engine sees it."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from apps.vision.backbones.freeze import set_backbone_trainable
from apps.vision.classification import data, files
from apps.vision.classification.classifier import build_classifier
from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.evaluator import ClassificationEvaluator
from apps.vision.classification.label_tables import found_kind
from apps.vision.classification.multilabel_evaluator import MultilabelClassificationEvaluator
from apps.vision.classification.predictor import ClassificationPredictor, LabelsPredictor
from apps.vision.classification.serving import ClassifierServing, LabelsServing
from shared.common import config as configs
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.messages import warn
from shared.common.names import read_names
from shared.common.splits import THRESHOLDS, TRAIN, VALIDATION
from shared.engine.app import App, Evaluator
from shared.engine.multilabel.thresholds import (
    choose_thresholds,
    has_thresholds,
    known_thresholds,
    refuse_threshold_split,
)
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.image_store import ImageStore
from shared.image.remarks import image_remarks
from shared.image.scan import scan_images
from shared.image.skipped import report_skipped
from shared.metrics.multilabel import multi_hot, positive_weights, prior_logits
from shared.text.tables.label_sets import MULTILABEL

SKIPPED = "skipped.csv"
MULTILABEL_LIMITS = (
    "Probabilities are the sigmoids of the network, each label by itself, and are not calibrated. "
    "A label is taken for present from its threshold on, which was chosen for the highest F1 on a "
    "part of the training data. Measured on images like these; others may fare worse, also where "
    "labels are more or less frequent. The epoch was chosen by the validation images, which "
    "flatters it."
)


class ClassifyApp(App):
    """Image classification: folders of labelled images to labels with probabilities."""

    name = "classify"
    config_class = ClassifyConfig
    monitor = ("val_accuracy", "max")
    limits = (
        "Scores are the softmax of the network and are not calibrated. An image that shows none "
        "of the classes still gets the label of one. Measured on images like the training data; "
        "others may fare worse, also where the classes have other shares. `accuracy_low` and "
        "`accuracy_high` are what the number of validation images allows to say (a confidence "
        "interval of 95 %); the epoch was chosen by the same images, which flatters it."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Finds, checks and splits the images once; later from `images.jsonl`."""
        if not (run.folder / IMAGES).exists():
            self._write_split(run)
        self.files = read_images(files.LabelledFile, run.folder / IMAGES)
        names, kind = run.artifacts["class_names"], run.artifacts["kind"]
        run.config = configs.replaced(run.config, {"data_options.kind": kind})
        if run.config.is_multilabel:
            self.limits = MULTILABEL_LIMITS
            self.monitor = ("val_mean_average_precision", "max")
            self.thresholds = known_thresholds(run, names)
        else:
            refuse_threshold_split(run.config.data_options.threshold_split)
        self._stores: dict[str, ImageStore] = {}

    def _write_split(self, run: Run) -> None:
        config = run.config
        kind, notes = found_kind(config.data, config.data_options.kind)
        for note in notes:
            warn(note)
        readable = readable_files(config, kind)
        split = split_files(config, readable)
        warn_of_absent_classes(split, kind)
        run.artifacts = {
            "kind": kind,
            "class_names": readable.class_names,
            "train_images": len(of_split(split, TRAIN)),
            "validation_images": len(of_split(split, VALIDATION)),
            "threshold_images": len(of_split(split, THRESHOLDS)),
            "skipped_images": len(readable.skipped),
            "total_pixels": readable.total_pixels,
        }
        remarks = files.classes_without_images(config.data, readable.class_names)
        remarks += files.linked_into_several_classes(readable.files)
        remarks += image_remarks(config.data, readable.headers)
        report_skipped(readable.skipped, run.folder / SKIPPED, remarks)
        run.save_artifacts()
        write_images(split, run.folder / IMAGES)

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(of_split(self.files, TRAIN)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        targets, store = self._targets(run, split), self._store(run, split)
        if split != TRAIN:
            return data.evaluation_dataset(store, targets, run.config, run.worker)
        return data.training_dataset(store, targets, run.config, start_step, run.worker)

    def _store(self, run: Run, split: str) -> ImageStore:
        """The images of a split; decoded once, not once an epoch, where they are cached."""
        if split not in self._stores:
            self._stores[split] = ImageStore(
                of_split(self.files, split),
                run.config.data_options.cache,
                run.artifacts["total_pixels"],
            )
        return self._stores[split]

    def _targets(self, run: Run, split: str) -> np.ndarray:
        """1 at the class or the labels of each image of a split, float32 (n, C)."""
        kind = run.artifacts["kind"]
        label_sets = [files.labels_of(file, kind) for file in of_split(self.files, split)]
        return multi_hot(label_sets, run.artifacts["class_names"])

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        kind, known = run.artifacts["kind"], run.artifacts["class_names"]
        max_pixels = run.config.data_options.max_pixels
        found = check_files(files.find_files(data, kind), max_pixels, kind)
        for file in found.files:
            for label in files.labels_of(file, kind):
                if label not in known:
                    raise KerasuiteError(
                        f"{file.path}: class '{label}' is not one of the model's: "
                        f"{', '.join(known)}"
                    )
        own = of_split(found.files, VALIDATION) or found.files
        held_out = [replace(file, split=VALIDATION) for file in own]
        self.files = of_split(self.files, TRAIN) + held_out
        run.artifacts["total_pixels"] = found.total_pixels
        self._stores.clear()
        if run.is_chief:
            warn_of_absent_classes(self.files, kind)
            report_skipped(found.skipped, run.folder / "evaluation" / SKIPPED)

    def check(self, config: ClassifyConfig) -> tuple[list[str], list[str]]:
        from apps.vision.classification.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        balanced = config.loss.class_weights == "balanced"
        model = build_classifier(
            config,
            len(run.artifacts["class_names"]),
            synchronized=run.strategy.num_replicas_in_sync > 1,
            class_weights=self._balanced_weights(run) if balanced else None,
        )
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return model

    def init_weights(self, run: Run, model: keras.Model) -> None:
        """`--weights` for the backbone, then `--init`; a finished run needs neither again."""
        weights = run.config.model.weights
        if weights != "none":
            source = build_classifier(
                run.config, len(run.artifacts["class_names"]), weights=weights
            )
            model.set_weights(source.get_weights())
        # Balanced labels are as probable as not, which the initial bias says already.
        if run.config.is_multilabel and run.config.loss.class_weights == "none":
            model.layers[-1].bias.assign(prior_logits(self._targets(run, TRAIN)))
        super().init_weights(run, model)

    def _balanced_weights(self, run: Run) -> list[float]:
        from sklearn.utils.class_weight import compute_class_weight

        targets = self._targets(run, TRAIN)
        if run.config.is_multilabel:
            return list(positive_weights(targets))
        classes = np.arange(targets.shape[1])
        return compute_class_weight("balanced", classes=classes, y=targets.argmax(1)).tolist()

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        """Freeze, then unfreeze."""
        if run.config.model.freeze_epochs:
            set_backbone_trainable(model, epoch >= run.config.model.freeze_epochs)

    # === Results ===

    def calibrate(self, run: Run, model: keras.Model) -> None:
        """Chooses the thresholds of several labels."""
        if run.config.is_multilabel:
            evaluator = self._label_evaluator(run, THRESHOLDS)
            self.thresholds = choose_thresholds(self, run, model, evaluator)

    def evaluator(self, run: Run) -> Evaluator:
        if run.config.is_multilabel:
            return self._label_evaluator(run, VALIDATION)
        paths = [file.path for file in of_split(self.files, VALIDATION)]
        return ClassificationEvaluator(run.artifacts["class_names"], paths)

    def _label_evaluator(self, run: Run, split: str) -> MultilabelClassificationEvaluator:
        paths = [file.path for file in of_split(self.files, split)]
        return MultilabelClassificationEvaluator(
            run.artifacts["class_names"], self.thresholds, paths
        )

    def serving(self, run: Run, model: keras.Model) -> dict[str, ClassifierServing]:
        names = run.artifacts["class_names"]
        labels_file = run.folder / "labels.txt"
        write_text(labels_file, "\n".join(names) + "\n")
        arguments = model, run.config, names, str(labels_file)
        if run.config.is_multilabel:
            return {"": LabelsServing(*arguments, thresholds=self.thresholds)}
        return {"": ClassifierServing(*arguments)}

    def network_serving(self, config, facts, folder, network):
        arguments = network, config, facts["labels"], str(folder / "labels.txt")
        if config.is_multilabel:
            return LabelsServing(*arguments, thresholds=facts["thresholds"])
        return ClassifierServing(*arguments)

    def predictor(self, saved_model: Path, max_pixels: int = 100_000_000):
        extra = extra_folder(saved_model)
        predictor = LabelsPredictor if has_thresholds(extra) else ClassificationPredictor
        return predictor(read_names(extra / "labels.txt"), max_pixels)


def split_files(config: ClassifyConfig, readable: files.LabelledFiles) -> list[files.LabelledFile]:
    """Gives every readable file its split."""
    options = config.data_options
    split = options.validation_split, options.fold, config.seed
    if readable.kind == MULTILABEL:
        return files.split_label_sets(readable.files, *split, options.threshold_split)
    return files.split_files(readable.files, *split)


def warn_of_absent_classes(split: list[files.LabelledFile], kind: str) -> None:
    """Names the classes that the means over classes leave out."""
    if absent := files.not_validated(split, kind):
        warn(
            f"no validation image of {', '.join(absent)}; precision, recall and F1 are means over "
            f"the other classes"
        )


def readable_files(config: ClassifyConfig, kind: str) -> files.LabelledFiles:
    """All labelled images of `config.data` that can be decoded."""
    found = files.find_files(config.data, kind)
    return check_files(found, config.data_options.max_pixels, kind)


def check_files(found: list[files.LabelledFile], max_pixels: int, kind: str) -> files.LabelledFiles:
    """Separates the images that can be decoded from the ones that cannot.

    Args:
        found: the images.
        max_pixels: int. Images of more pixels are left out.
        kind: "single" or "multilabel".

    Raises:
        KerasuiteError: if none can be decoded.
    """
    scans = scan_images([file.path for file in found], max_pixels=max_pixels)
    result = files.LabelledFiles([], kind)
    for file, scan in zip(found, scans, strict=True):
        if scan.problem:
            result.skipped.append((file.path, scan.problem))
        else:
            result.files.append(replace(file, is_direct=scan.header.is_direct))
            result.headers.append(scan.header)
            result.total_pixels += scan.header.width * scan.header.height
    if not result.files:
        path, reason = result.skipped[0]
        raise KerasuiteError(
            f"none of {len(found)} images can be read; the first is {path}: {reason}"
        )
    lost = sorted(set(files.LabelledFiles(found, kind).class_names) - set(result.class_names))
    if lost:
        raise KerasuiteError(
            f"class '{lost[0]}': none of its images can be read; mend or remove them "
            f"('kerasuite classify check' names each)"
        )
    return result
