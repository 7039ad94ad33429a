"""The detection application, as the engine sees it."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from apps.vision.backbones.freeze import set_backbone_trainable
from apps.vision.detection import data
from apps.vision.detection.annotations.image_boxes import DetectionData, ImageBoxes
from apps.vision.detection.annotations.reader import read_annotations
from apps.vision.detection.annotations.split import split_images
from apps.vision.detection.config import DetectConfig
from apps.vision.detection.csp_backbone import SIZES
from apps.vision.detection.detectors.build import build_decoder, build_detector, register_all
from apps.vision.detection.detectors.detector import Detector
from apps.vision.detection.evaluator import DetectionEvaluator
from apps.vision.detection.letterbox_boxes import boxes_in_square
from apps.vision.detection.predictor import DetectionPredictor
from apps.vision.detection.serving import DetectorServing
from shared.common import stream
from shared.common.console import console
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

PROBLEMS = "problems.txt"


class DetectApp(App):
    """Object detection: images with annotated boxes to boxes with labels and scores."""

    name = "detect"
    config_class = DetectConfig
    monitor = ("val_map", "max")
    limits = (
        "Finds objects of the classes above and nothing else; scores are not calibrated. Images "
        "are fitted into a square: objects of a few pixels there are lost, for which prediction "
        "by tiles helps. Measured on images like the training data; others may fare worse."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Reads, checks and splits the annotations once; later from `images.jsonl`."""
        if not (run.folder / IMAGES).exists():
            self._write_images(run)
        self.images = read_images(ImageBoxes, run.folder / IMAGES)
        self._stores: dict[str, ImageStore] = {}

    def _write_images(self, run: Run) -> None:
        config = run.config
        found = _read(config.data, config)
        images = split_images(found, config.data_options.validation_split, config.seed)
        run.artifacts = {
            "class_names": found.class_names,
            "train_images": len(of_split(images, TRAIN)),
            "validation_images": len(of_split(images, VALIDATION)),
            "boxes": int(sum(len(image.boxes) for image in images)),
            "problems": len(found.problems),
        }
        if config.model.architecture == "ssd" and config.ssd.fit_anchors:
            run.artifacts["anchor_shapes"] = _fitted_anchors(images, config.model.image_size)
        _report_problems(found, run.folder / PROBLEMS)
        run.save_artifacts()
        write_images(images, run.folder / IMAGES)

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(of_split(self.images, TRAIN)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        store, images = self._store(run, split), of_split(self.images, split)
        if split != TRAIN:
            return data.evaluation_dataset(store, images, run.config, run.worker)
        epochs = max(run.config.epochs - run.config.augment.mosaic_off_epochs, 0)
        last_mosaic_step = epochs * run.steps_per_epoch
        return data.training_dataset(
            store, images, run.config, last_mosaic_step, start_step, run.worker
        )

    def _store(self, run: Run, split: str) -> ImageStore:
        """The images of a split at the network's size; kept so where they are cached."""
        if split not in self._stores:
            images, side = of_split(self.images, split), run.config.model.image_size
            self._stores[split] = ImageStore(
                images,
                run.config.data_options.cache,
                len(images) * side * side,
                lambda image: data.fitted(image, side),
            )
        return self._stores[split]

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        found = _read(data, run.config)
        images = _renumbered(found, run.artifacts["class_names"])
        own = of_split(images, VALIDATION) or images
        held_out = [replace(image, split=VALIDATION) for image in own]
        self.images = of_split(self.images, TRAIN) + held_out
        self._stores.clear()
        if run.is_chief:
            _report_problems(found, run.folder / "evaluation" / PROBLEMS)

    def check(self, config: DetectConfig) -> tuple[list[str], list[str]]:
        from apps.vision.detection.check import describe

        options = config.data_options
        return describe(
            config.data, options.annotations, options.max_pixels, config.model.image_size
        )

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        model = self._detector(run, synchronized=run.strategy.num_replicas_in_sync > 1)
        model.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return model

    def _detector(self, run: Run, synchronized: bool = False, weights: str = "none") -> Detector:
        return build_detector(
            run.config, run.artifacts, weights=weights, synchronized_batch_norm=synchronized
        )

    def init_weights(self, run: Run, model: keras.Model) -> None:
        """`--weights` for the backbone, then `--init`; a finished run needs neither again."""
        if run.config.model.weights != "none":
            if run.config.model.backbone in SIZES:
                raise KerasuiteError(
                    f"--weights {run.config.model.weights}: there are none for the backbone "
                    f"'{run.config.model.backbone}'; use --init RUN to start from a trained run"
                )
            source = self._detector(run, weights=run.config.model.weights)
            model.set_weights(source.get_weights())
        if run.config.init:
            register_all()  # The run that it names may be of another architecture.
        super().init_weights(run, model)

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        """Freeze, then unfreeze."""
        if run.config.model.freeze_epochs:
            set_backbone_trainable(model, epoch >= run.config.model.freeze_epochs)

    # === Results ===

    def evaluator(self, run: Run) -> DetectionEvaluator:
        return DetectionEvaluator(
            run.artifacts["class_names"],
            of_split(self.images, VALIDATION),
            run.config.model.image_size,
        )

    def serving(self, run: Run, model: keras.Model) -> dict[str, DetectorServing]:
        names = run.artifacts["class_names"]
        labels_file = run.folder / "labels.txt"
        write_text(labels_file, "\n".join(names) + "\n")
        return {"": DetectorServing(model, run.config, names, str(labels_file))}

    def network_serving(self, config, facts, folder, network):
        decoder = build_decoder(config.model.architecture, facts["decoding"])
        labels_file = str(folder / "labels.txt")
        serving = DetectorServing(decoder, config, facts["labels"], labels_file)
        serving.network = network
        return serving

    def predictor(self, saved_model: Path, **options) -> DetectionPredictor:
        labels = read_names(extra_folder(saved_model) / "labels.txt")
        return DetectionPredictor(labels, **options)


def _read(paths, config: DetectConfig) -> DetectionData:
    options = config.data_options
    return read_annotations(list(paths), options.annotations, options.max_pixels)


def _fitted_anchors(images: list[ImageBoxes], side: int):
    """Sides of SSD's default boxes, fitted to the training boxes; says what is gained."""
    from apps.vision.detection.detectors.anchor_reach import reached_by_ssd
    from apps.vision.detection.detectors.ssd.anchor_fit import fit_shapes

    boxes = boxes_in_square(of_split(images, TRAIN), side)
    shapes = fit_shapes(boxes)
    paper, fitted = (reached_by_ssd(boxes, side, each).mean() for each in (None, shapes))
    console.print(
        f"--fit-anchors: default boxes overlap {fitted:.1%} of the training boxes by more than "
        f"0.5, those of the paper {paper:.1%}"
    )
    return shapes


def _report_problems(found: DetectionData, path: Path) -> None:
    for line in found.notes + found.remarks:
        warn(line)
    if found.problems:
        write_text(path, "".join(f"{line}\n" for line in found.problems))
        warn(
            f"{len(found.problems)} thing(s) in the data could not be used as they are; "
            f"they are listed in {path}"
        )


def _renumbered(found: DetectionData, class_names: list[str]) -> list[ImageBoxes]:
    """The images with labels of the model's classes."""
    unknown = [name for name in found.class_names if name not in class_names]
    used = {found.class_names[label] for image in found.images for label in image.labels}
    for name in unknown:
        if name in used:
            raise KerasuiteError(
                f"class '{name}' of the data is not one of the model's: {', '.join(class_names)}"
            )
    numbers = np.array(
        [class_names.index(name) if name in class_names else -1 for name in found.class_names],
        np.int32,
    )
    return [replace(image, labels=numbers[image.labels]) for image in found.images]
