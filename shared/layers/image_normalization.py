"""The first layer of an image network: from levels 0..255 to the inputs of its weights."""

import keras
from keras import ops

IMAGENET_MEAN = (123.68, 116.779, 103.939)  # R, G, B levels, as published with Caffe's VGG.

# mode -> (mean, standard deviation) in levels 0..255, in the channel order after any flip.
_STATISTICS = {
    "caffe": (IMAGENET_MEAN[::-1], (1.0, 1.0, 1.0)),
    "tf": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "torch": (
        (0.485 * 255, 0.456 * 255, 0.406 * 255),
        (0.229 * 255, 0.224 * 255, 0.225 * 255),
    ),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


@keras.saving.register_keras_serializable(package="kerasuite")
class ImageNormalization(keras.layers.Layer):
    """Normalises raw RGB images; the modes are those of `keras.applications`.

    Give it `dtype="float32"` in a mixed-precision network: levels up to 255 do not survive a
    subtraction in 16 bits.

    Args:
        mode: str. `"caffe"`: to BGR, minus the ImageNet mean; `"tf"`: to -1..1; `"torch"`:
            minus mean, divided by standard deviation of ImageNet; `"none"`: as it is, for
            networks that begin with their own normalisation.

    Call arguments:
        inputs: tensor (B, H, W, 3) of any numeric dtype, RGB, levels 0..255.

    Returns:
        Tensor (B, H, W, 3) of the compute dtype.

    Raises:
        ValueError: if the mode is unknown.

    Reference: `keras.applications.*.preprocess_input`
    """

    def __init__(self, mode: str = "torch", **kwargs):
        super().__init__(**kwargs)
        if mode not in _STATISTICS:
            raise ValueError(f"mode must be one of {', '.join(_STATISTICS)}, not {mode!r}")
        self.mode = mode

    def call(self, inputs):
        images = ops.cast(inputs, self.compute_dtype)
        if self.mode == "none":
            return images
        if self.mode == "caffe":
            images = ops.flip(images, axis=-1)
        mean, deviation = (
            ops.convert_to_tensor(values, self.compute_dtype) for values in _STATISTICS[self.mode]
        )
        return (images - mean) / deviation

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}
