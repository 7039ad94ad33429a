"""The SavedModel of one direction: image bytes to PNG bytes of the same size."""

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.engine.saved_model.empty_batches import answer_empty_batches
from shared.engine.saved_model.fold_batch_norm import fold_batch_norm
from shared.engine.saved_model.network_serving import NetworkServing
from shared.image.decode import decode_batch
from shared.image.example_images import example_images
from shared.image.levels import from_levels, to_levels

STRIDE = 4  # the generator's encoder halves twice
MIN_SIDE = 8  # its inner layers mirror a border of one pixel, at a quarter of the size


class TranslationServing(NetworkServing):
    """`image_bytes` string [N], any sizes, to `image_bytes` string [N], PNG of the same sizes.

    The signature `tile` is the generator alone: `tile` float32 [N, h, w, 3] in 0..255, h and w
    multiples of 4 and at least 8, to `tile` float32 [N, h, w, 3], not rounded.

    Args:
        generator: (B, H, W, 3) to (B, H, W, 3), -1..1.
        direction: "a2b" or "b2a".
    """

    grid = STRIDE

    def __init__(self, generator: keras.Model, direction: str):
        super().__init__(generator, tf.TensorSpec((None, None, None, 3), tf.float32))
        self.generator, self.direction = generator, direction

    def for_inference(self):
        """As it is: it has no batch normalisation to fold."""
        return self

    def translate(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes, pads to the generator's grid, translates, cuts back and encodes."""
        # One by one: the memory of a large image is needed once.
        encoded = decode_batch(
            image_bytes, self._translate_one, tf.TensorSpec((), tf.string), parallel_iterations=1
        )
        return {"image_bytes": encoded}

    def _translate_one(self, image: tf.Tensor) -> tf.Tensor:
        height, width = tf.unstack(tf.shape(image)[:2])
        padded = mirror_to(image, _on_grid(height), _on_grid(width))
        made = self.generator(from_levels(padded)[tf.newaxis], training=False)
        return tf.io.encode_png(to_levels(made[0, :height, :width]))

    def translate_tile(self, tile: tf.Tensor) -> dict[str, tf.Tensor]:
        made = tf.cast(
            answer_empty_batches(partial(self.generator, training=False), from_levels(tile)),
            tf.float32,
        )
        return {"tile": (made + 1.0) * 127.5}

    def signatures(self):
        encoded = {"image_bytes": tf.TensorSpec([None], tf.string)}
        tile = {"tile": tf.TensorSpec([None, None, None, 3], tf.float32)}
        return {
            "serving_default": (encoded, self.translate),
            "tile": (tile, self.translate_tile),
        }

    def trackables(self):
        return [self.generator]

    # === The network alone, from levels to levels ===

    def for_export(self) -> keras.Model:
        generator = fold_batch_norm(self.generator, dtype="float32")
        image = keras.Input((None, None, 3), name="image")
        made = generator(keras.layers.Rescaling(1 / 127.5, -1.0)(image))
        return keras.Model(image, keras.layers.Rescaling(127.5, 127.5)(made))

    def live_outputs(self, inputs):
        return self.translate_tile(inputs["image"])["tile"]

    def facts(self) -> dict[str, Any]:
        return {
            "image": {"resize": "none", "multiple_of": STRIDE, "smallest_side": MIN_SIDE},
            "direction": self.direction,
        }

    def examples(self):
        pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 24, 3)).astype(np.float32)
        return {"serving_default": {"image_bytes": example_images()}, "tile": {"tile": pixels}}

    def extra_assets(self):
        return {"direction.txt": f"{self.direction}\n"}


def _on_grid(side: tf.Tensor) -> tf.Tensor:
    """The next multiple of the generator's stride."""
    return tf.maximum(-(-side // STRIDE) * STRIDE, MIN_SIDE)


def mirror_to(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Pads an image (H, W, C) at its end by reflection, repeated where it has to be.

    Args:
        image: tensor (H, W, C).
        height: int scalar, at least H.
        width: int scalar, at least W.
    """
    rows = _mirrored(tf.shape(image)[0], height)
    columns = _mirrored(tf.shape(image)[1], width)
    return tf.gather(tf.gather(image, rows, axis=0), columns, axis=1)


def _mirrored(side: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Indices 0 .. side - 1, back to 0, and so on; the ends are not repeated."""
    period = tf.maximum(2 * (side - 1), 1)
    offset = tf.range(wanted) % period
    return tf.minimum(offset, period - offset)
