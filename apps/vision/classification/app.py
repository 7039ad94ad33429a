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
from apps.vision.classification.predictor import ClassificationPredictor
from apps.vision.classification.serving import ClassifierServing
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.messages import warn
from shared.common.names import read_names
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.image_store import ImageStore
from shared.image.remarks import image_remarks
from shared.image.scan import scan_images
from shared.image.skipped import report_skipped

SKIPPED = "skipped.csv"


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
        self._stores: dict[str, ImageStore] = {}

    def _write_split(self, run: Run) -> None:
        config = run.config
        readable = readable_files(config)
        split = files.split_files(
            readable.files,
            config.data_options.validation_split,
            config.data_options.fold,
            config.seed,
        )
        warn_of_absent_classes(split)
        run.artifacts = {
            "class_names": readable.class_names,
            "train_images": len(of_split(split, TRAIN)),
            "validation_images": len(of_split(split, VALIDATION)),
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
        labels = self._labels(run, of_split(self.files, split))
        classes = len(run.artifacts["class_names"])
        store = self._store(run, split)
        if split != TRAIN:
            return data.evaluation_dataset(store, labels, classes, run.config, run.worker)
        return data.training_dataset(store, labels, classes, run.config, start_step, run.worker)

    def _store(self, run: Run, split: str) -> ImageStore:
        """The images of a split; decoded once, not once an epoch, where they are cached."""
        if split not in self._stores:
            self._stores[split] = ImageStore(
                of_split(self.files, split),
                run.config.data_options.cache,
                run.artifacts["total_pixels"],
            )
        return self._stores[split]

    def _labels(self, run: Run, chosen: list[files.LabelledFile]) -> np.ndarray:
        number = {name: index for index, name in enumerate(run.artifacts["class_names"])}
        return np.array([number[file.label] for file in chosen], np.int32)

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        found = check_files(files.find_files(data), run.config.data_options.max_pixels)
        known = run.artifacts["class_names"]
        for file in found.files:
            if file.label not in known:
                raise KerasuiteError(
                    f"{file.path}: class '{file.label}' is not one of the model's: "
                    f"{', '.join(known)}"
                )
        own = of_split(found.files, VALIDATION) or found.files
        held_out = [replace(file, split=VALIDATION) for file in own]
        self.files = of_split(self.files, TRAIN) + held_out
        run.artifacts["total_pixels"] = found.total_pixels
        self._stores.clear()
        if run.is_chief:
            warn_of_absent_classes(self.files)
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
        super().init_weights(run, model)

    def _balanced_weights(self, run: Run) -> list[float]:
        from sklearn.utils.class_weight import compute_class_weight

        labels = self._labels(run, of_split(self.files, TRAIN))
        classes = np.arange(len(run.artifacts["class_names"]))
        return compute_class_weight("balanced", classes=classes, y=labels).tolist()

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        """Freeze, then unfreeze."""
        if run.config.model.freeze_epochs:
            set_backbone_trainable(model, epoch >= run.config.model.freeze_epochs)

    # === Results ===

    def evaluator(self, run: Run) -> ClassificationEvaluator:
        paths = [file.path for file in of_split(self.files, VALIDATION)]
        return ClassificationEvaluator(run.artifacts["class_names"], paths)

    def serving(self, run: Run, model: keras.Model) -> dict[str, ClassifierServing]:
        names = run.artifacts["class_names"]
        labels_file = run.folder / "labels.txt"
        write_text(labels_file, "\n".join(names) + "\n")
        return {"": ClassifierServing(model, run.config, names, str(labels_file))}

    def network_serving(self, config, facts, folder, network):
        labels_file = str(folder / "labels.txt")
        return ClassifierServing(network, config, facts["labels"], labels_file)

    def predictor(self, saved_model: Path, max_pixels: int = 100_000_000):
        labels = read_names(extra_folder(saved_model) / "labels.txt")
        return ClassificationPredictor(labels, max_pixels)


def warn_of_absent_classes(split: list[files.LabelledFile]) -> None:
    """Names the classes that the means over classes leave out."""
    if absent := files.not_validated(split):
        warn(
            f"no validation image of {', '.join(absent)}; precision, recall and F1 are means over "
            f"the other classes"
        )


def readable_files(config: ClassifyConfig) -> files.LabelledFiles:
    """All labelled images of `config.data` that can be decoded."""
    return check_files(files.find_files(config.data), config.data_options.max_pixels)


def check_files(found: list[files.LabelledFile], max_pixels: int) -> files.LabelledFiles:
    """Separates the images that can be decoded from the ones that cannot.

    Raises:
        KerasuiteError: if none can be decoded.
    """
    scans = scan_images([file.path for file in found], max_pixels=max_pixels)
    result = files.LabelledFiles([])
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
    lost = sorted({file.label for file in found} - set(result.class_names))
    if lost:
        raise KerasuiteError(
            f"class '{lost[0]}': none of its images can be read; mend or remove them "
            f"('kerasuite classify check' names each)"
        )
    return result
