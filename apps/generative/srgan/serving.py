"""The SavedModel of super-resolution: image bytes to PNG bytes, and tiles for large images."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.generator import as_levels, generator_margin
from apps.generative.srgan.tile_memory import measured_bytes_per_pixel
from shared.engine.saved_model.network_serving import NetworkServing
from shared.image.decode import decode_batch
from shared.image.example_images import example_images

# The bicubic enlargement mirrors two pixels at the border.
MIN_SIDE = 2


class SuperResolutionServing(NetworkServing):
    """`image_bytes` string [N], any sizes, to `image_bytes` string [N], PNG of 8-bit RGB.

    The signature `tile` is the network alone: `tile` float32 [N, h, w, 3] in 0..255 to `tile`
    float32 [N, s h, s w, 3], not rounded, so that tiles of large images can be blended and 16 bits
    kept.

    Args:
        model: (B, h, w, 3) to (B, s h, s w, 3), 0..255.
        config: its configuration.
    """

    def __init__(self, model: keras.Model, config: SrganConfig):
        super().__init__(model, tf.TensorSpec((None, None, None, 3), tf.float32))
        self.config, self.scale = config.model, config.model.scale

    def enlarge_files(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes, enlarges and encodes, one image after the other."""

        def enlarge_one(image):
            made = as_levels(self._enlarged(tf.cast(image, tf.float32)[tf.newaxis]))
            return tf.io.encode_png(made[0])

        png = decode_batch(image_bytes, enlarge_one, tf.TensorSpec((), tf.string), 1)
        return {"image_bytes": png}

    def enlarge_tiles(self, tile: tf.Tensor) -> dict[str, tf.Tensor]:
        """Enlarges decoded images or tiles."""
        return {"tile": self._enlarged(tile)}

    def _enlarged(self, images):
        """The network's enlargement; images of one row or column are repeated for it."""
        height, width = tf.unstack(tf.shape(images)[1:3])
        rows, columns = (
            tf.minimum(tf.range(tf.maximum(side, MIN_SIDE)), side - 1) for side in (height, width)
        )
        images = tf.gather(tf.gather(images, rows, axis=1), columns, axis=2)
        made = tf.cast(self.outputs_of(images), tf.float32)
        return made[:, : height * self.scale, : width * self.scale]

    def signatures(self):
        files = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        tiles = {"tile": tf.TensorSpec([None, None, None, 3], tf.float32, name="tile")}
        return {
            "serving_default": (files, self.enlarge_files),
            "tile": (tiles, self.enlarge_tiles),
        }

    def trackables(self):
        return []

    def attributes(self):
        """Facts that cutting into tiles needs; the memory is measured here, once for an export."""
        facts = {
            "scale": self.scale,
            "margin": generator_margin(self.config),
            "bytes_per_pixel": measured_bytes_per_pixel(self.network, self.config),
        }
        return {
            name: tf.Variable(value, trainable=False, dtype=tf.int32, name=name)
            for name, value in facts.items()
        }

    def examples(self):
        tiles = np.random.default_rng(0).uniform(0, 255, (2, 9, 12, 3)).astype(np.float32)
        return {
            "serving_default": {"image_bytes": example_images()},
            "tile": {"tile": tiles},
        }

    def facts(self) -> dict[str, Any]:
        return {"image": {"resize": "none", "smallest_side": MIN_SIDE}, "scale": self.scale}

    def usage(self):
        return USAGE


USAGE = """\
A request is of this form; images may be JPEG, PNG, GIF, BMP or WebP of unequal sizes, and a whole
image has to fit into memory:

```json
{"instances": [{"image_bytes": {"b64": "..."}}]}
```

The answer is a PNG of 8-bit RGB; alpha is composited over white. `kerasuite srgan predict` cuts
large images into tiles for the signature `tile`, and keeps alpha and 16 bits. The loaded object
has the variables `scale`, `margin` (pixels beyond which an input pixel changes nothing) and
`bytes_per_pixel` (memory of a `tile` call for each pixel of its input)."""
