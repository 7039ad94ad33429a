"""Batch inference of autoencoders: picture files to codes, reconstructions and errors."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np

from apps.generative.autoencoder.pictures import is_grey
from shared.common.files import printable
from shared.engine.prediction.image_predictor import ImagePredictor
from shared.image.reader import load_source
from shared.image.result_name import result_name
from shared.image.thumbnail import input_thumbnail, jpeg_bytes

CODES = "codes.npy"


class CodePredictor(ImagePredictor):
    """Codes picture files; all codes, in the order of predictions.jsonl, also in `codes.npy`.

    Args:
        channels: int. Of the model; with 1, pictures in colour are counted.
        max_pixels: int. Larger pictures are rejected by their header.
    """

    inputs = ("image_bytes",)
    outputs = ("code", "reconstruction", "error")

    def __init__(self, channels: int, max_pixels: int):
        super().__init__(max_pixels)
        self.channels = channels
        self._turned_grey = 0

    def read(self, source):
        image_bytes, header = load_source(source, self.max_pixels)
        with self._lock:
            self._changes.count(header)
            self._turned_grey += self.channels == 1 and not is_grey(header)
        return {"image_bytes": image_bytes}

    def remarks(self):
        turned = f"{self._turned_grey} image(s) in colour are turned grey, as the model is"
        return super().remarks() + ([turned] if self._turned_grey else [])

    def record(self, source, outputs):
        return {
            "error": float(f"{outputs['error']:.6g}"),
            "code": [float(value) for value in outputs["code"]],
            "reconstruction": _name(source),
        }

    def files(self, source, outputs):
        return {_name(source): outputs["reconstruction"]}

    def summary(self, rows: Iterable[dict[str, Any]]):
        codes = [np.array(row["code"], np.float32) for row in rows if "code" in row]
        if not codes:
            return {}
        out = io.BytesIO()
        np.save(out, np.stack(codes))
        return {CODES: [out.getvalue()]}

    def pictures(self, row, source, folder):
        before = jpeg_bytes(input_thumbnail(source, self.max_pixels))
        return [
            (before, printable(row["file"])),
            (folder / row["reconstruction"], f"error {row['error']:.3g}"),
        ]


def _name(source) -> str:
    return f"{result_name(source)}.png"
