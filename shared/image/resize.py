"""Bilinear resizing of one image, antialiased as by Pillow, for training and serving alike.

Images are tensors (H, W, 3) of any real dtype in 0..255, of static or dynamic size; results are
float32 in 0..255, not rounded. `tf.image.resize` without antialiasing skips pixels when it
shrinks and is tens of levels away from every other program.
"""

import tensorflow as tf

FILL = 114.0  # grey, the usual padding of detectors


def resize(image, size):
    """Resizes to an exact size; the aspect ratio is not kept.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints or int32 tensors. The new size.

    Returns:
        float32 tensor (height, width, C), 0..255.
    """
    size = _pair(size)
    return _scale_and_translate(image, scaled_size=size, offset=(0, 0), size=size)


def resize_to_cover(image, size, crop_ratio=1.0):
    """Resizes so that the image covers a frame, then cuts out the centre.

    The usual evaluation preprocessing: `size=224, crop_ratio=0.875` is "short side to 256, then
    the central 224 x 224". Only the pixels of the centre are computed.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints. The size of the result.
        crop_ratio: float in (0, 1]. The part of the resized image's covering side that is kept.

    Returns:
        float32 tensor (height, width, C), 0..255.
    """
    height, width = _pair(size)
    old = _spatial_shape(image)
    frame = [round(height / crop_ratio), round(width / crop_ratio)]
    factor = tf.reduce_max(tf.cast(frame, tf.float64) / tf.cast(old, tf.float64))
    scaled = tf.maximum(_rounded(tf.cast(old, tf.float64) * factor), [height, width])
    offset = -((scaled - [height, width]) // 2)
    return _scale_and_translate(image, scaled, offset, (height, width))


def letterbox(image, size, fill=FILL):
    """Resizes to fit inside a frame, keeping the aspect ratio, and pads to the frame.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints. The size of the result.
        fill: float, 0..255. The colour of the padding, half on each side.

    Returns:
        float32 tensor (height, width, C); scale, float32 tensor (2,), the factors of y and x;
        offset, float32 tensor (2,), pixels. A point p = (y, x) of the image, in continuous
        pixel coordinates, lies at `p * scale + offset` in the result.
    """
    height, width = _pair(size)
    old = _spatial_shape(image)
    scaled, before = letterbox_geometry(old[0], old[1], size)
    after = [height, width] - scaled - before
    inner = _scale_and_translate(image, scaled, (0, 0), scaled)
    paddings = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    padded = tf.pad(inner, paddings, constant_values=fill)
    padded = tf.ensure_shape(padded, (height, width, image.shape[2]))
    scale = tf.cast(tf.cast(scaled, tf.float64) / tf.cast(old, tf.float64), tf.float32)
    return padded, scale, tf.cast(before, tf.float32)


def letterbox_geometry(height, width, size):
    """Size and padding of images of given sizes in `letterbox`.

    Args:
        height: int or float tensor (...). Of the images, in pixels.
        width: int or float tensor (...).
        size: int, or (height, width) as ints. The size of the frame.

    Returns:
        scaled, int32 tensor (..., 2), height and width of the images inside the frame; before,
        int32 tensor (..., 2), rows and columns of padding before them.
    """
    frame = _pair(size)
    old = tf.stack([tf.cast(height, tf.float64), tf.cast(width, tf.float64)], axis=-1)
    factor = tf.reduce_min(tf.constant(frame, tf.float64) / old, axis=-1, keepdims=True)
    scaled = tf.clip_by_value(_rounded(old * factor), 1, frame)
    return scaled, (frame - scaled) // 2


def _scale_and_translate(image, scaled_size, offset, size):
    """Draws the image, resized to `scaled_size`, at `offset` on a canvas of `size`."""
    old = tf.cast(_spatial_shape(image), tf.float32)
    resized = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(image, tf.float32)[tf.newaxis],
        size=size,
        scale=tf.cast(scaled_size, tf.float32) / old,
        translation=tf.cast(offset, tf.float32),
        kernel_type="triangle",  # with antialias: Pillow's bilinear filter
        antialias=True,
    )[0]
    if not tf.is_tensor(size):
        resized = tf.ensure_shape(resized, (*map(tf.get_static_value, size), image.shape[2]))
    return resized


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def _spatial_shape(image):
    return tf.shape(image)[:2]


def _rounded(sides):
    return tf.cast(tf.round(sides), tf.int32)
