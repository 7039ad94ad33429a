"""Batch inference of detection: image files to lines with boxes, pictures, crops and text."""

import io
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from PIL import Image

from apps.vision.detection.annotations.orientation import read_orientation
from apps.vision.detection.draw import draw_boxes
from apps.vision.detection.prediction import coco_results, result_files
from apps.vision.detection.prediction.tile_merge import Found
from apps.vision.detection.prediction.tiles import detect_tiled
from apps.vision.detection.thresholds import THRESHOLDS, threshold_values
from shared.common.config import did_you_mean
from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.engine.prediction.image_predictor import ImagePredictor
from shared.image.decode import decode_image
from shared.image.reader import DEFAULT_MAX_PIXELS
from shared.image.result_name import result_name
from shared.image.thumbnail import input_thumbnail, jpeg_bytes

# Decoded images need memory: at most this many pixels go into one call, and larger images are
# drawn one at a time.
PIXELS_OF_CALL = 64_000_000
LARGE = 16_000_000
# Asked for when only some classes are kept, so that the others do not take all rows.
ROOM_FOR_OTHERS = 1000
# Side of the pictures of the page, and the most boxes that they show.
PAGE_SIDE, DRAWN = 480, 60

OPTIONS = (
    "save_images",
    "save_crops",
    "save_txt",
    "txt_scores",
    "tile",
    "overlap",
)


class DetectionPredictor(ImagePredictor):
    """Reads image files and records the objects in them.

    Args:
        class_names: names of the classes, in the order of the model.
        max_pixels: int. Larger images are rejected by their header.
        confidence, iou, max_detections: thresholds; None for the export's own.
        classes: str. Names of the only classes to report, with commas between; "" for all.
        save_images: bool. Writes images/NAME.jpg with the boxes drawn in.
        save_crops: bool. Writes crops/LABEL/NAME-1.jpg and so on.
        save_txt: bool. Writes labels/NAME.txt in YOLO's format, and classes.txt.
        txt_scores: bool. Whether the score is a sixth number in those lines.
        tile: int. Side of the tiles that larger images are cut into; 0 for none.
        overlap: float. Overlap of neighbouring tiles, as a part of their side.

    Raises:
        KerasuiteError: if an option is out of bounds or names an unknown class.
    """

    signature = "with_thresholds"
    inputs = ("image_bytes", *THRESHOLDS)
    outputs = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")

    def __init__(
        self,
        class_names: list[str],
        max_pixels: int = DEFAULT_MAX_PIXELS,
        *,
        confidence: float | None = None,
        iou: float | None = None,
        max_detections: int | None = None,
        classes: str = "",
        save_images: bool = False,
        save_crops: bool = False,
        save_txt: bool = False,
        txt_scores: bool = False,
        tile: int = 0,
        overlap: float = 0.2,
    ):
        _check(confidence, iou, max_detections, tile, overlap)
        super().__init__(max_pixels)
        self.class_names = class_names
        self.thresholds = {"confidence": confidence, "iou": iou, "max_detections": max_detections}
        self.kept = _class_numbers(classes, class_names)
        self.save_images, self.save_crops, self.save_txt = save_images, save_crops, save_txt
        self.txt_scores, self.tile, self.overlap = txt_scores, tile, overlap
        self._large = threading.Lock()

    def settings(self):
        chosen = {name: getattr(self, name) for name in OPTIONS}
        return super().settings() | self.thresholds | {"classes": self.kept} | chosen

    def start(self, model):
        """Takes what was not given from the export."""
        own = threshold_values(model.module)
        for name, value in self.thresholds.items():
            self.thresholds[name] = own[name].item() if value is None else value

    # === Images to detections ===

    def read(self, source):
        example = super().read(source)
        return example | {"size": np.array(upright_size(example["image_bytes"]))}

    def call(self, model, examples):
        """Small images together, those larger than a tile each by itself."""
        found = {}
        tiled = [i for i, each in enumerate(examples) if 0 < self.tile < max(each["size"])]
        for index in tiled:
            found[index] = self._detect_tiled(model, examples[index]["image_bytes"])
        for group in _groups(examples, [i for i in range(len(examples)) if i not in found]):
            answers = self._detect(model, [examples[index]["image_bytes"] for index in group])
            found |= zip(group, answers, strict=True)
        return [example | {"found": found[index]} for index, example in enumerate(examples)]

    def _detect(self, model, images: list[bytes]) -> list[Found]:
        values = self.thresholds | {"image_bytes": images}
        if self.kept is not None:
            values["max_detections"] = max(values["max_detections"], ROOM_FOR_OTHERS)
        tensors = {key: tf.constant(values[key], model.inputs[key].dtype) for key in model.inputs}
        outputs = model.module.signatures[self.signature](**tensors)
        rows = zip(*(outputs[name].numpy() for name in self.outputs), strict=True)
        return [self._found(*row) for row in rows]

    def _found(self, boxes, scores, classes, count) -> Found:
        """One image's detections, xyxy, of the wanted classes."""
        found = Found(boxes[:count, [1, 0, 3, 2]], scores[:count], classes[:count])
        if self.kept is not None:
            found = found.take(np.isin(found.classes, self.kept))
        return found.take(slice(self.thresholds["max_detections"]))

    def _detect_tiled(self, model, image_bytes) -> Found:
        return detect_tiled(
            decode_image(tf.constant(image_bytes)).numpy(),
            lambda images: self._detect(model, images),
            tile=self.tile,
            overlap=self.overlap,
            iou=self.thresholds["iou"],
            max_detections=self.thresholds["max_detections"],
        )

    # === Detections to results ===

    def record(self, source, outputs):
        width, height = map(int, outputs["size"])
        boxes = outputs["found"].boxes.astype(np.float64) * [width, height, width, height]
        detections = [
            {
                "label": self.class_names[number],
                "class": int(number),
                "score": round(float(score), 6),
                "box": box,
            }
            for box, (_, score, number) in zip(
                boxes.round(2).tolist(), zip(*outputs["found"], strict=True), strict=True
            )
        ]
        return {"width": width, "height": height, "detections": detections}

    def csv_row(self, row):
        detections = row.pop("detections")
        return {**row, "count": len(detections), "detections": detections}

    def files(self, source, outputs):
        found, name = outputs["found"], result_name(source)
        files = {}
        if self.save_txt:
            files[f"labels/{name}.txt"] = result_files.yolo_text(found, self.txt_scores)
        if np.prod(outputs["size"]) <= LARGE:
            return files | dict(self._pictures(outputs, name))
        with self._large:
            return files | dict(self._pictures(outputs, name))

    def _pictures(self, outputs, name) -> Iterator[tuple[str, bytes]]:
        if not (self.save_images or self.save_crops):
            return
        found = outputs["found"]
        image = decode_image(tf.constant(outputs["image_bytes"])).numpy()
        if self.save_images:
            yield f"images/{name}.jpg", result_files.annotated(image, found, self.class_names)
        if self.save_crops:
            for path, content in result_files.crops(image, found, self.class_names, name):
                yield f"crops/{path}", content

    def pictures(self, row, source, folder):
        picture = input_thumbnail(source, self.max_pixels, PAGE_SIDE)
        # Small images are enlarged, so that labels do not cover them.
        factor = PAGE_SIDE / max(picture.size)
        picture = picture.resize([max(1, round(side * factor)) for side in picture.size])
        found = row["detections"][:DRAWN]
        size = [row["width"], row["height"]] * 2
        boxes = np.array([each["box"] for each in found], np.float64).reshape(-1, 4) / size
        labels, scores = ([each[name] for each in found] for name in ("label", "score"))
        drawn = draw_boxes(np.asarray(picture), boxes, labels, scores, self.class_names)
        every = Counter(each["label"] for each in row["detections"])
        counts = ", ".join(f"{count} {label}" for label, count in every.most_common())
        caption = f"{printable(row['file'])}\n{counts or 'nothing found'}"
        if len(row["detections"]) > DRAWN:
            caption += f" (the best {DRAWN} are drawn)"
        return [(jpeg_bytes(Image.fromarray(drawn)), caption)]

    def summary(self, rows):
        files: dict[str, Iterable[bytes]] = {
            coco_results.RESULTS: coco_results.coco_results(rows),
            coco_results.IMAGES: coco_results.coco_images(rows, self.class_names),
        }
        if self.save_txt:
            files["classes.txt"] = [f"{name}\n".encode() for name in self.class_names]
        return files


def upright_size(image_bytes: bytes) -> tuple[int, int]:
    """Width and height of what `read_image` gave, EXIF orientation applied, from its header."""
    with Image.open(io.BytesIO(image_bytes)) as image:
        width, height = image.size
    is_turned = read_orientation(io.BytesIO(image_bytes), is_direct=True) >= 5
    return (height, width) if is_turned else (width, height)


def _groups(examples, indices) -> Iterator[list[int]]:
    """Neighbours, as many as have `PIXELS_OF_CALL` together; at least one."""
    group, pixels = [], 0
    for index in indices:
        size = int(np.prod(examples[index]["size"]))
        if group and pixels + size > PIXELS_OF_CALL:
            yield group
            group, pixels = [], 0
        group.append(index)
        pixels += size
    if group:
        yield group


def _check(confidence, iou, max_detections, tile, overlap):
    for name, value in (("confidence", confidence), ("iou", iou)):
        if value is not None and not 0 <= value <= 1:
            raise KerasuiteError(f"--{name} {value}: give a number from 0 to 1")
    if max_detections is not None and max_detections < 1:
        raise KerasuiteError(f"--max-detections {max_detections}: give at least 1")
    if tile < 0 or 0 < tile < 32:
        raise KerasuiteError(f"--tile {tile}: give at least 32 pixels, or 0 for no tiles")
    if not 0 <= overlap <= 0.9:
        raise KerasuiteError(f"--overlap {overlap}: give a number from 0 to 0.9")


def _class_numbers(names: str, class_names: list[str]) -> list[int] | None:
    """`--classes cat,dog` as indices; None for all."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in class_names:
            raise KerasuiteError(
                f"--classes {name}: no class of the model{did_you_mean(name, class_names)}; "
                f"one of {', '.join(class_names)}"
            )
    return [class_names.index(name) for name in chosen] or None
