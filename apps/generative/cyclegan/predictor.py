"""Batch inference of CycleGAN: image files to translated PNG files."""

import struct

from shared.engine.prediction.predictor import Predictor
from shared.image.reader import IMAGE_SUFFIXES, read_source
from shared.image.result_name import result_name
from shared.image.thumbnail import input_and_result


class TranslationPredictor(Predictor):
    """Translates image files and writes PNG under the same relative path.

    Args:
        max_pixels: int. Larger images are rejected by their header.
    """

    suffixes = IMAGE_SUFFIXES
    unit = "image"
    inputs = outputs = ("image_bytes",)

    def __init__(self, max_pixels: int):
        self.max_pixels = max_pixels

    def read(self, source):
        return {"image_bytes": read_source(source, self.max_pixels)}

    def settings(self):
        return {"max_pixels": self.max_pixels}

    def record(self, source, outputs):
        # Width and height stand in the first chunk of every PNG.
        width, height = struct.unpack_from(">II", outputs["image_bytes"], 16)
        return {"image": f"{result_name(source)}.png", "width": width, "height": height}

    def files(self, source, outputs):
        return {f"{result_name(source)}.png": outputs["image_bytes"]}

    def pictures(self, row, source, folder):
        return input_and_result(row, source, folder, self.max_pixels)
