"""The output of every generator: from a network's values to an image."""

import keras

from shared.layers import BicubicUpsampling


def add_output(values, images, scale: int, residual: str):
    """Scales values around -1..1 to levels and adds them to the bicubic enlargement, if wanted.

    Args:
        values: symbolic tensor (B, s h, s w, 3).
        images: symbolic tensor (B, h, w, 3). The input in 0..255.
        scale: int. The factor s.
        residual: "none" or "bicubic".

    Returns:
        Symbolic float32 tensor (B, s h, s w, 3), about 0..255, not clipped.
    """
    if residual == "none":
        return keras.layers.Rescaling(127.5, 127.5, dtype="float32", name="levels")(values)
    details = keras.layers.Rescaling(127.5, dtype="float32", name="details")(values)
    enlarged = BicubicUpsampling(scale, dtype="float32", name="bicubic")(images)
    return keras.layers.Add(dtype="float32", name="levels")([enlarged, details])
