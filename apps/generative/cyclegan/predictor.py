"""Batch inference of CycleGAN: image files to translated PNG files."""

import struct

from shared.engine.prediction.image_predictor import ImagePredictor
from shared.image.result_name import result_name
from shared.image.thumbnail import input_and_result


class TranslationPredictor(ImagePredictor):
    """Translates image files and writes PNG under the same relative path.

    Args:
        max_pixels: int. Larger images are rejected by their header.
    """

    inputs = outputs = ("image_bytes",)

    def record(self, source, outputs):
        # Width and height stand in the first chunk of every PNG.
        width, height = struct.unpack_from(">II", outputs["image_bytes"], 16)
        return {"image": f"{result_name(source)}.png", "width": width, "height": height}

    def files(self, source, outputs):
        return {f"{result_name(source)}.png": outputs["image_bytes"]}

    def pictures(self, row, source, folder):
        return input_and_result(row, source, folder, self.max_pixels)
