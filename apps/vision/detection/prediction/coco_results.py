"""All detections of a run as COCO results, and the images that their ids stand for.

`COCO("images.coco.json").loadRes("detections.coco.json")` of pycocotools opens both. Who has
annotations of their own maps the ids to theirs by `file_name`.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

RESULTS = "detections.coco.json"
IMAGES = "images.coco.json"


def coco_results(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """The results: a list of image_id, category_id, bbox (x, y, width, height in pixels), score.

    Args:
        rows: records of `DetectionPredictor` and errors, as `Predictor.summary` gets them. An
            image's id is the number of its row, from 1; a category's id is the class plus 1.
    """
    return _lines(_results(rows), "[", "]")


def coco_images(rows: Iterable[dict[str, Any]], class_names: list[str]) -> Iterator[bytes]:
    """A COCO data set of the images and categories, without annotations."""
    categories = [{"id": index, "name": name} for index, name in enumerate(class_names, start=1)]
    end = f'],\n"categories": {json.dumps(categories, ensure_ascii=False)},\n"annotations": []}}'
    return _lines(_images(rows), '{"info": {}, "images": [', end)


def _numbered(rows):
    """Images only, by number; those that were rejected count, so that ids hold still."""
    return ((number, row) for number, row in enumerate(rows, start=1) if "error" not in row)


def _results(rows):
    for number, row in _numbered(rows):
        for each in row["detections"]:
            x1, y1, x2, y2 = each["box"]
            yield {
                "image_id": number,
                "category_id": each["class"] + 1,
                "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                "score": each["score"],
            }


def _images(rows):
    for number, row in _numbered(rows):
        yield {
            "id": number,
            "file_name": row["file"],
            "width": row["width"],
            "height": row["height"],
        }


def _lines(entries, start, end):
    """A JSON list, piece by piece: it may be larger than memory."""
    separator = start + "\n"
    for entry in entries:
        # ASCII: a file name that is no UTF-8 must stay a JSON text.
        yield (separator + json.dumps(entry)).encode()
        separator = ",\n"
    yield ((separator if separator != ",\n" else "\n") + end + "\n").encode()
