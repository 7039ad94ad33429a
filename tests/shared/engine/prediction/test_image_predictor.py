"""Reading images for prediction: what is lost on the way is counted and said."""

import numpy as np
from PIL import Image

from shared.common.inputs import find_inputs
from shared.engine.prediction.image_predictor import ImagePredictor
from shared.engine.prediction.predict import predict
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction.predict_support import QUIET


class SizePredictor(helpers.FilePredictor):
    """The model of these tests measures strings; here they are images."""

    suffixes = (".png",)

    def __init__(self):
        self.images = Images()
        self.remarks = self.images.remarks

    def read(self, source):
        return {"data": self.images.read(source)["image_bytes"]}


class Images(ImagePredictor):
    def record(self, source, outputs):
        return {}


def test_images_that_lose_something_are_counted_once(model, tmp_path, capsys, load_once):
    pixels = np.zeros((4, 5, 4), np.uint8)
    for number in range(2):
        Image.fromarray(pixels).save(tmp_path / f"clear{number}.png")
    Image.fromarray(pixels[..., :3]).save(tmp_path / "opaque.png")
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(tmp_path / "deep.png")
    predict(model, find_inputs([tmp_path]), SizePredictor(), tmp_path / "out", **QUIET)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "warning: 2 image(s) are transparent and are laid over white",
        "warning: 1 image(s) have more than 8 bits a channel, of which 8 are kept",
    ]
