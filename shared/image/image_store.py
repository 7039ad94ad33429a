"""Random access to decoded images inside tf.data, from disk or from memory."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from shared.image.decode import decode_image
from shared.image.image_file import ImageFile, check_present
from shared.image.reader import load_image_bytes

AUTO_LIMIT = 2**30  # bytes of decoded pixels that "auto" keeps in memory


class ImageStore:
    """Loads images by index.

    Args:
        files: readable images (see `scan.scan_images`).
        cache: "memory" decodes every image once and keeps its pixels, "off" reads and
            decodes on every access, "auto" keeps them if they fit into `AUTO_LIMIT`.
        total_pixels: int. Pixels of all images together, as they are kept, for "auto".
        transform: applied to every decoded image, uint8 (H, W, 3) to uint8 (h, w, 3), before it
            is kept.

    Raises:
        KerasuiteError: if a file is no longer there.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        cache: str = "off",
        total_pixels: int = 0,
        transform: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ):
        check_present(files)
        self._paths = tf.constant([file.path for file in files], tf.string)
        self._is_direct = tf.constant([file.is_direct for file in files], tf.bool)
        self._transform = transform or (lambda image: image)
        fits = 0 < 3 * total_pixels <= AUTO_LIMIT
        self.cached = cache == "memory" or (cache == "auto" and fits)
        if self.cached:
            self._pixels, self._shapes = self._decode_all()

    def __len__(self) -> int:
        return len(self._paths)

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """The image at an integer scalar index: uint8 (H, W, 3)."""
        if not self.cached:
            return self._decode(index)
        pixels = tf.io.decode_raw(self._pixels[index], tf.uint8)
        return tf.ensure_shape(tf.reshape(pixels, self._shapes[index]), (None, None, 3))

    def _decode(self, index: tf.Tensor) -> tf.Tensor:
        content = load_image_bytes(self._paths[index], self._is_direct[index])
        return self._transform(decode_image(content))

    def _decode_all(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Raw pixels as strings, so that images of unequal sizes stand in one tensor."""
        images = tf.data.Dataset.range(len(self)).map(
            self._decode, num_parallel_calls=tf.data.AUTOTUNE
        )
        pixels, shapes = [], []
        for image in images:
            pixels.append(image.numpy().tobytes())
            shapes.append(image.shape.as_list())
        return tf.constant(pixels, tf.string), tf.constant(shapes, tf.int32)
