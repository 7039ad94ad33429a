"""A small detector with lively scores, exported for the tests of serving and prediction."""

import io
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from apps.vision.detection.config import DetectConfig
from apps.vision.detection.detectors.yolo.yolo import YOLO, build_yolo
from apps.vision.detection.features import STRIDES
from apps.vision.detection.serving import DetectorServing
from shared.common import config as configs
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.saved_model.export import export

CLASSES = ["cat", "dog/é", "bird"]
SIDE = 64


class FixedDetector:
    """Base of stand-ins for the network: outputs by a rule, the rest as in YOLO."""

    decisive_outputs = YOLO.decisive_outputs
    candidates = YOLO.candidates
    detections = YOLO.detections


class ToyDetectApp(App):
    """Detects nothing in particular."""

    name = "detect"
    config_class = DetectConfig
    monitor = ("val_map", "max")

    def prepare(self, run):
        run.artifacts["class_names"] = CLASSES

    def build(self, run):
        return lively_detector()

    def serving(self, run, model):
        return {"": make_serving(model, run.config, run.folder)}

    def evaluator(self, run):
        raise NotImplementedError

    dataset = steps_per_epoch = predictor = check = replace_validation_data = evaluator


def config(**overrides) -> DetectConfig:
    values = {"preset": "test", "data": ("x",), "model.image_size": SIDE}
    return configs.resolve(DetectConfig, values | overrides)


def lively_detector(seed=0):
    """Untrained, but with scores of all sizes, so that thresholds and order matter."""
    keras.utils.set_random_seed(seed)
    model = build_yolo("test", len(CLASSES))
    for stride in STRIDES:
        class_layer, box_layer = (model.get_layer(f"{n}{stride}_logits") for n in ("class", "box"))
        class_layer.kernel.assign(class_layer.kernel * 2e4)
        class_layer.bias.assign(class_layer.bias * 0 - 2)
        box_layer.kernel.assign(box_layer.kernel * 2e4)
    return model


def make_serving(model, config, folder: Path) -> DetectorServing:
    labels = Path(folder) / "labels.txt"
    labels.write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    return DetectorServing(model, config, CLASSES, str(labels))


def export_toy(folder: Path, **overrides):
    """(version folder, the live `DetectorServing`)."""
    run = Run(config(**overrides), folder / "run")
    run.folder.mkdir(parents=True)
    ToyDetectApp().prepare(run)
    model = lively_detector()
    path = export(ToyDetectApp(), run, model, folder / "saved_models")[""]
    return path, make_serving(model, run.config, folder)


def picture(height, width, seed=0) -> np.ndarray:
    """Coarse coloured noise, uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encode(pixels, kind="PNG", orientation=1) -> bytes:
    """An image file; with another orientation, stored so that it is upright when turned."""
    turns = {1: lambda x: x, 3: lambda x: x[::-1, ::-1], 6: lambda x: np.rot90(x)}
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](pixels)))
    stored.save(out, kind, **({"exif": exif} if orientation != 1 else {}))
    return out.getvalue()
