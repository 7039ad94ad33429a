"""Base class of the predictors that read image files."""

import threading

from shared.common.inputs import Source
from shared.engine.prediction.predictor import Predictor
from shared.image.reader import DEFAULT_MAX_PIXELS, IMAGE_SUFFIXES, load_source
from shared.image.remarks import PixelChanges, unread_pictures


class ImagePredictor(Predictor):
    """Reads image files into `image_bytes` and says how many lost transparency or depth.

    Args:
        max_pixels: int. Larger images are rejected by their header.
    """

    suffixes = IMAGE_SUFFIXES
    unit = "image"

    def __init__(self, max_pixels: int = DEFAULT_MAX_PIXELS):
        self.max_pixels = max_pixels
        self._changes = PixelChanges()
        self._lock = threading.Lock()

    def settings(self):
        return {"max_pixels": self.max_pixels}

    def read(self, source: Source):
        image_bytes, header = load_source(source, self.max_pixels)
        with self._lock:
            self._changes.count(header)
        return {"image_bytes": image_bytes}

    def left_out(self, inputs):
        return unread_pictures(inputs)

    def remarks(self):
        return self._changes.lines()
