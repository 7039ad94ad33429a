"""Makes feature maps fit the grid of their image."""

import keras
from keras import ops

MARGIN = 4  # Pixels; more than any network of keras.applications loses at a side.


@keras.saving.register_keras_serializable(package="kerasuite")
class PadToGrid(keras.layers.Layer):
    """Pads a feature map with zeros (or crops it) to the size of its image divided by a stride.

    Convolutions without padding lose some pixels at every side, alike at both ends. Putting them
    back there keeps every feature above its position in the image.

    Args:
        stride: int. Pixels of the image per pixel of the feature map.

    Call arguments:
        inputs: list of a float tensor (B, h, w, C), the features, and a tensor (B, H, W, 3), the
            images.

    Returns:
        Tensor (B, H // stride, W // stride, C) of the features' dtype.
    """

    def __init__(self, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, inputs):
        features, images = inputs
        for axis in (1, 2):
            wanted = ops.shape(images)[axis] // self.stride
            features = _fit(features, axis, wanted)
        return features

    def compute_output_shape(self, input_shape):
        features, images = input_shape
        sides = [None if side is None else side // self.stride for side in images[1:3]]
        return (features[0], *sides, features[3])

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


def _fit(features, axis, wanted):
    """Pads generously, then takes the `wanted` rows or columns from the middle."""
    margins = [(0, 0)] * 4
    margins[axis] = (MARGIN, MARGIN)
    padded = ops.pad(features, margins)
    begin = (ops.shape(features)[axis] - wanted) // 2 + MARGIN
    return ops.take(padded, begin + ops.arange(wanted), axis=axis)
