"""Batch inference of super-resolution: image files to enlarged PNG files."""

import numpy as np
import tensorflow as tf

from apps.generative.srgan.enlarger import Enlarger, enough_overlap, tile_for_memory
from shared.common.errors import KerasuiteError
from shared.engine.prediction.predictor import Predictor
from shared.image.full_image import FullImage, read_full_image
from shared.image.reader import DEFAULT_MAX_PIXELS, IMAGE_SUFFIXES, UnreadableImage
from shared.image.result_name import result_name
from shared.image.thumbnail import input_and_result

FACTS = ("scale", "margin", "bytes_per_pixel")


class SuperResolutionPredictor(Predictor):
    """Enlarges images, by tiles where they are large; writes PNG under the same relative path.

    Args:
        max_pixels: int. Larger images are rejected by their header.
        memory: float. GiB that one call of the network may take; decides the size of the tiles.
        overlap: int or None. Pixels that neighbouring tiles share; None: enough for no seam.
    """

    suffixes = IMAGE_SUFFIXES
    unit = "image"
    signature = "tile"
    inputs = outputs = ("tile",)

    def __init__(
        self,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        memory: float = 0.75,
        overlap: int | None = None,
    ):
        if memory <= 0:
            raise KerasuiteError(f"--memory {memory:g}: give GiB above 0")
        self.max_pixels, self.memory, self.overlap = max_pixels, memory, overlap

    def settings(self):
        names = ("max_pixels", "memory", "overlap")
        return {name: getattr(self, name) for name in names}

    def start(self, model):
        """Reads the facts that the export holds of its network and fixes the size of the tiles."""
        missing = [name for name in FACTS if not hasattr(model.module, name)]
        if missing:
            raise KerasuiteError(
                f"{model.path}: has no variable {missing[0]}; export the run with "
                f"'kerasuite srgan export'"
            )
        scale, margin, each = (int(getattr(model.module, name)) for name in FACTS)
        overlap = enough_overlap(margin) if self.overlap is None else self.overlap
        tile = tile_for_memory(round(self.memory * 2**30), each, overlap)
        function = model.module.signatures[self.signature]

        def call(images: np.ndarray) -> np.ndarray:
            return function(tile=tf.constant(images))["tile"].numpy()

        self.enlarger = Enlarger(call, scale, margin, tile, overlap)

    def read(self, source):
        data = source.read_bytes()
        try:
            image = read_full_image(data, self.max_pixels)
        except UnreadableImage as error:
            raise KerasuiteError(error.reason) from error
        # Without alpha there are no values of it.
        return {"colour": image.colour, "alpha": () if image.alpha is None else image.alpha}

    def call(self, model, examples):
        return [self._enlarged(**example) for example in examples]

    def _enlarged(self, colour, alpha):
        height, width = colour.shape[:2]
        image = FullImage(colour, alpha if len(alpha) else None)
        return {"png": self.enlarger.png(image), "size": np.array([width, height])}

    def record(self, source, outputs):
        width, height = (int(side) * self.enlarger.scale for side in outputs["size"])
        return {"image": f"{result_name(source)}.png", "width": width, "height": height}

    def files(self, source, outputs):
        return {f"{result_name(source)}.png": outputs["png"]}

    def pictures(self, row, source, folder):
        return input_and_result(row, source, folder, self.max_pixels)
