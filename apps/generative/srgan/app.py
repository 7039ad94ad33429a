"""The super-resolution application, as the engine sees it."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from apps.generative.srgan import data
from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.content_features import content_loss
from apps.generative.srgan.evaluator import SuperResolutionEvaluator
from apps.generative.srgan.pictures import (
    MIN_SIDE,
    Picture,
    Pictures,
    read_pictures,
    split_pictures,
)
from apps.generative.srgan.pixel_generator import PixelGenerator
from apps.generative.srgan.predictor import SuperResolutionPredictor
from apps.generative.srgan.serving import SuperResolutionServing
from apps.generative.srgan.sr_gan import SRGAN
from shared.common import stream
from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import LAST_EPOCH, App
from shared.engine.run import Run
from shared.engine.training.optimizer import build_optimizer
from shared.image.image_file import IMAGES, of_split, read_images, write_images
from shared.image.remarks import image_remarks
from shared.image.skipped import report_skipped

SKIPPED = "skipped.csv"


class SrganApp(App):
    """Super-resolution: images to images of several times the size, with details."""

    name = "srgan"
    config_class = SrganConfig
    monitor = ("val_psnr", "max")
    reference = "bicubic"
    limits = (
        "Enlarges clean images that were reduced by bicubic interpolation, or like the pairs of "
        "its training; noise and compression are enlarged with the rest. Details are plausible, "
        "not true: they are invented where the small image lacks them, the more so after the "
        "adversarial stage. Do not use it where a detail decides, such as faces, number plates "
        "or medical pictures."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Finds, checks and splits the images once; later from `images.jsonl`."""
        if not (run.folder / IMAGES).exists():
            self._write_pictures(run)
        if run.config.stage == "adversarial":
            # PSNR only falls in this stage: the best would be that of the first epoch.
            self.monitor = LAST_EPOCH
        self.pictures = read_images(Picture, run.folder / IMAGES)
        self._stores: dict[str, data.PictureStore] = {}

    def _write_pictures(self, run: Run) -> None:
        config = run.config
        check_crop(config)
        found = training_pictures(config)
        pictures = found.pictures
        run.artifacts = {
            "train_images": len(of_split(pictures, TRAIN)),
            "validation_images": len(of_split(pictures, VALIDATION)),
            "low_resolution": "paired files" if pictures[0].low else "made by bicubic reduction",
            "skipped_images": len(found.skipped),
        }
        remarks = image_remarks(config.data, found.headers)
        report_skipped(found.skipped, run.folder / SKIPPED, remarks)
        run.save_artifacts()
        write_images(pictures, run.folder / IMAGES)

    def _crops(self, run: Run) -> np.ndarray:
        options = run.config.data_options
        return data.crop_table(
            of_split(self.pictures, TRAIN), options.crop_size, options.crops_per_image
        )

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(self._crops(run)), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        store = self._store(run, split)
        if split != TRAIN:
            return data.evaluation_dataset(store, run.worker)
        return data.training_dataset(store, self._crops(run), run.config, start_step, run.worker)

    def _store(self, run: Run, split: str) -> data.PictureStore:
        if split not in self._stores:
            pictures, config = of_split(self.pictures, split), run.config
            self._stores[split] = data.PictureStore(
                pictures, config.model.scale, config.data_options.cache
            )
        return self._stores[split]

    def replace_validation_data(self, run: Run, data: list[str]) -> None:
        found = validation_pictures(run.config, data)
        self.pictures = of_split(self.pictures, TRAIN) + found.pictures
        self._stores.clear()
        if run.is_chief:
            report_skipped(found.skipped, run.folder / "evaluation" / SKIPPED)

    def check(self, config: SrganConfig) -> tuple[list[str], list[str]]:
        from apps.generative.srgan.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config, synchronized = run.config, run.strategy.num_replicas_in_sync > 1

        def optimizer():
            return build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )

        if config.stage == "pixel":
            model = PixelGenerator(config.model, config.loss, synchronized)
            model.compile(optimizer=optimizer())
            return model
        crop_size = config.data_options.crop_size
        model = SRGAN(config.model, config.loss, crop_size, synchronized)
        model.content = content_loss(config.loss)
        model.compile(
            {"generator": optimizer(), "discriminator": optimizer()},
            config.optimization.clip_norm,
            config.optimization.micro_batches,
        )
        return model

    def init_weights(self, run: Run, model: keras.Model) -> None:
        """`--init`, of either stage; refused if its generator is of another scale."""
        if run.config.init:
            _check_scale(Path(run.config.init), run.config.model.scale)
        super().init_weights(run, model)

    # === Results ===

    def evaluator(self, run: Run) -> SuperResolutionEvaluator:
        paths = [picture.path for picture in of_split(self.pictures, VALIDATION)]
        return SuperResolutionEvaluator(paths, run.config.model.scale)

    def serving(self, run: Run, model: keras.Model) -> dict[str, SuperResolutionServing]:
        return {"": SuperResolutionServing(model.generator, run.config)}

    def network_serving(self, config, facts, folder, network):
        return SuperResolutionServing(network, config)

    def predictor(self, saved_model: Path, **options) -> SuperResolutionPredictor:
        return SuperResolutionPredictor(**options)


def check_crop(config: SrganConfig) -> None:
    """Raises KerasuiteError if crops are no whole number of low-resolution pixels."""
    size, scale = config.data_options.crop_size, config.model.scale
    if size % scale:
        raise KerasuiteError(
            f"--crop-size {size}: is no multiple of --scale {scale}; give {size // scale * scale}"
        )


def training_pictures(config: SrganConfig) -> Pictures:
    """All usable pictures of a configuration with their split."""
    options = config.data_options
    found = read_pictures(config.data, config.model.scale, options.crop_size, options.max_pixels)
    _require(found, config.data)
    if not options.validation:
        return replace(found, pictures=split_pictures(found.pictures))
    held_out = validation_pictures(config, [options.validation])
    train = [replace(picture, split=TRAIN) for picture in found.pictures]
    return Pictures(
        _alike(train + held_out.pictures),
        found.skipped + held_out.skipped,
        found.headers + held_out.headers,
    )


def validation_pictures(config: SrganConfig, paths) -> Pictures:
    """The usable pictures of `paths`, all for validation."""
    scale = config.model.scale
    min_side = MIN_SIDE + 2 * scale
    found = read_pictures(paths, scale, min_side, config.data_options.max_pixels)
    _require(found, paths)
    pictures = [replace(picture, split=VALIDATION) for picture in found.pictures]
    return replace(found, pictures=_alike(pictures))


def _require(found: Pictures, paths) -> None:
    if not found.pictures:
        path, reason = found.skipped[0]
        raise KerasuiteError(
            f"{', '.join(paths)}: none of {len(found.skipped)} images can be used; the first: "
            f"{printable(path)}: {reason}"
        )
    _alike(found.pictures)


def _alike(pictures: list[Picture]) -> list[Picture]:
    """Raises KerasuiteError if only some pictures of a split have low-resolution files."""
    for split in {picture.split for picture in pictures}:
        kinds = {bool(picture.low) for picture in pictures if picture.split == split}
        if len(kinds) > 1:
            raise KerasuiteError(
                "DATA: some folders hold pairs (HR and LR), others single images; give one kind"
            )
    return pictures


def _check_scale(path: Path, scale: int) -> None:
    """Raises KerasuiteError if the generator saved at `path` is of another scale."""
    saved = _saved_scale(path / "model.keras" if path.is_dir() else path)
    if saved is not None and saved != scale:
        raise KerasuiteError(
            f"--init {path}: its generator enlarges {saved} times, this one {scale} times; "
            f"give a run of the same scale, or --scale {saved}"
        )


def _saved_scale(path: Path) -> int | None:
    """The factor of a model of either stage in a `.keras` file; None if there is none in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))["config"]["config"]["scale"]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None
