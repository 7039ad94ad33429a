"""Image files as training sees them, for pages and sheets."""

import tensorflow as tf
from PIL import Image

from shared.image.decode import decode_image
from shared.image.reader import read_image

# Traced once; on their own the branches would be traced for every image.
_decode = tf.function(decode_image, [tf.TensorSpec((), tf.string)], autograph=False)


def upright_picture(path) -> Image.Image:
    """Decodes an image of any size and turns it upright.

    Raises:
        UnreadableImage: if the file is gone or damaged.
    """
    with tf.device("CPU:0"):
        content = read_image(path, max_pixels=1 << 40)
        return Image.fromarray(_decode(tf.constant(content)).numpy())
