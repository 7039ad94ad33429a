"""Pictures of what a detector found: a sheet of images, and the page of the worst ones."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.draw import draw_boxes
from apps.vision.detection.evaluation.box_matches import ImageJudgement
from apps.vision.detection.evaluation.coco_evaluation import Detections
from apps.vision.detection.upright_picture import upright_picture
from shared.common.files import atomic_path
from shared.image.reader import UnreadableImage
from shared.report.page import Page

PICTURE_SIDE = 640
WORST_SHOWN = 24
CELL_SIDE, SHEET_COLUMNS, SHEET_ROWS = 480, 4, 3
GAP = 8
FAULT = "✗ "


def write_sheet(
    images: Sequence[ImageBoxes],
    detections: Sequence[Detections],
    confidence: float,
    class_names: list[str],
    path: Path,
) -> None:
    """Writes a JPEG of images from all over the data with the boxes found in them.

    Args:
        images: list of ImageBoxes, and detections: list of Detections, one for each.
        confidence: float. Minimum score of the boxes that are drawn.
        class_names: list of str.
        path: JPEG file to write.
    """
    count = min(len(images), SHEET_COLUMNS * SHEET_ROWS)
    chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
    cells = []
    for index in chosen:
        found = detections[index]
        shown = np.flatnonzero(found.scores >= confidence)
        picture = thumbnail(images[index], CELL_SIDE)
        cells.append(_with_detections(picture, found, shown, class_names))
    with atomic_path(path) as temporary:
        _sheet(cells).save(temporary, quality=90)


def _sheet(cells):
    """Pictures in rows, each in the middle of a cell, on white."""
    columns = min(len(cells), SHEET_COLUMNS)
    rows = -(-len(cells) // columns)
    height = max(cell.shape[0] for cell in cells) + GAP
    width = max(cell.shape[1] for cell in cells) + GAP
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), "white")
    for number, cell in enumerate(cells):
        left = number % columns * width + (width - GAP - cell.shape[1]) // 2
        top = number // columns * height + (height - GAP - cell.shape[0]) // 2
        sheet.paste(Image.fromarray(cell), (left, top))
    return sheet


def write_worst(
    images: Sequence[ImageBoxes],
    detections: Sequence[Detections],
    judgements: Sequence[ImageJudgement],
    confidence: float,
    class_names: list[str],
    path: Path,
) -> None:
    """Writes a page of the images with the most missed boxes and false alarms.

    Args:
        images, detections, judgements: what was true, found, and right at `confidence`.
        confidence: float.
        class_names: list of str.
        path: HTML file to write.
    """
    order = sorted(range(len(images)), key=lambda i: (-judgements[i].faults, judgements[i].f1))
    worst = [index for index in order[:WORST_SHOWN] if judgements[index].faults]
    faulty = sum(judgement.faults > 0 for judgement in judgements)
    page = Page("Worst images")
    page.text(
        f"{faulty} of {len(images)} images have missed boxes or false alarms at confidence "
        f"{confidence:.3f} and IoU 0.5. {FAULT.strip()} marks missed boxes on the left and false "
        f"alarms on the right."
    )
    for index in worst:
        image, judgement = images[index], judgements[index]
        page.heading(Path(image.path).name, level=3)
        pictures = _truth_and_found(image, detections[index], judgement, class_names)
        page.pictures(zip(map(_encoded, pictures), _captions(judgement), strict=True), large=True)
    page.write(path)


def _captions(judgement):
    boxes, alarms = len(judgement.found) + len(judgement.missed), len(judgement.wrong)
    return (
        f"True: {boxes} box{'es' * (boxes != 1)}, {len(judgement.missed)} missed",
        f"Found: {len(judgement.right)} right, {alarms} false alarm{'s' * (alarms != 1)} "
        f"(F1 {judgement.f1:.2f})",
    )


def _truth_and_found(image, detections, judgement, class_names):
    """Two pictures; wrong boxes are drawn over right ones."""
    picture = thumbnail(image)
    crowd = np.flatnonzero(image.crowd)
    truth, found = picture, picture
    for indices, mark in ((crowd, "crowd: "), (judgement.found, ""), (judgement.missed, FAULT)):
        truth = _with_boxes(truth, image.boxes, image.labels, indices, class_names, mark)
    for indices, mark in ((judgement.right, ""), (judgement.wrong, FAULT)):
        found = _with_detections(found, detections, indices, class_names, mark)
    return truth, found


def _with_detections(picture, detections, indices, class_names, mark=""):
    boxes, classes, scores = detections.boxes, detections.classes, detections.scores[indices]
    return _with_boxes(picture, boxes, classes, indices, class_names, mark, scores)


def _with_boxes(picture, boxes, classes, indices, class_names, mark, scores=None):
    # The mark stands in the list of all names too, so that a class keeps its colour.
    names = [mark + name for name in class_names]
    labels = [names[label] for label in classes[indices]]
    return draw_boxes(picture, boxes[indices], labels, scores, names)


def _encoded(picture):
    output = io.BytesIO()
    Image.fromarray(picture).save(output, "JPEG", quality=85)
    return output.getvalue()


def thumbnail(image: ImageBoxes, side: int = PICTURE_SIDE) -> np.ndarray:
    """The upright image as training sees it, uint8 (H, W, 3), its longer side `side` pixels.

    Small images are enlarged, so that labels do not cover them. Grey, where the file has gone
    since: a picture must not cost the user the metrics.
    """
    try:
        picture = upright_picture(image.path)
    except UnreadableImage:
        picture = Image.new("RGB", (image.width, image.height), "grey")
    factor = side / max(picture.size)
    size = [max(1, round(length * factor)) for length in picture.size]
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
