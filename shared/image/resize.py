"""Resizing of one image, antialiased as Pillow does it, for training and serving alike.

Images are tensors (H, W, 3) of any real dtype in 0..255, of static or dynamic size; results are
float32 in 0..255, not rounded. `tf.image.resize` without antialiasing skips pixels when it
shrinks and is tens of levels away from every other program.
"""

import tensorflow as tf

KERNELS = {"bilinear": "triangle", "bicubic": "keyscubic"}  # with antialias: Pillow's filters


def resize(image, size, method="bilinear"):
    """Resizes to an exact size; the aspect ratio is not kept.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints or int32 tensors. The new size.
        method: "bilinear" or "bicubic".

    Returns:
        float32 tensor (height, width, C), 0..255.
    """
    size = _pair(size)
    return _place(image, scaled_size=size, offset=(0, 0), size=size, method=method)


squash = resize


def resize_to_cover(image, size, crop_ratio=1.0, method="bilinear"):
    """Resizes so that the image covers a frame, then cuts out the centre.

    The usual evaluation preprocessing: `size=224, crop_ratio=0.875` is "short side to 256, then
    the central 224 x 224". Only the pixels of the centre are computed.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints. The size of the result.
        crop_ratio: float in (0, 1]. The part of the resized image's covering side that is kept.
        method: "bilinear" or "bicubic".

    Returns:
        float32 tensor (height, width, C), 0..255.
    """
    height, width = _pair(size)
    old = _spatial_shape(image)
    frame = [round(height / crop_ratio), round(width / crop_ratio)]
    factor = tf.reduce_max(tf.cast(frame, tf.float64) / tf.cast(old, tf.float64))
    scaled = tf.maximum(_rounded(tf.cast(old, tf.float64) * factor), [height, width])
    offset = -((scaled - [height, width]) // 2)
    return _place(image, scaled, offset, (height, width), method)


def letterbox(image, size, fill=114.0, upscale=True, method="bilinear"):
    """Resizes to fit inside a frame, keeping the aspect ratio, and pads to the frame.

    Args:
        image: tensor (H, W, C), 0..255.
        size: int, or (height, width) as ints. The size of the result.
        fill: float, 0..255. The colour of the padding, half on each side.
        upscale: bool. Whether small images are enlarged.
        method: "bilinear" or "bicubic".

    Returns:
        float32 tensor (height, width, C); scale, float32 tensor (2,), the factors of y and x;
        offset, float32 tensor (2,), pixels. A point p = (y, x) of the image, in continuous
        pixel coordinates, lies at `p * scale + offset` in the result.
    """
    height, width = _pair(size)
    old = _spatial_shape(image)
    scaled, before = letterbox_geometry(old[0], old[1], size, upscale)
    after = [height, width] - scaled - before
    inner = _place(image, scaled, (0, 0), scaled, method)
    paddings = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    padded = tf.pad(inner, paddings, constant_values=fill)
    padded = tf.ensure_shape(padded, (height, width, image.shape[2]))
    scale = tf.cast(tf.cast(scaled, tf.float64) / tf.cast(old, tf.float64), tf.float32)
    return padded, scale, tf.cast(before, tf.float32)


def letterbox_geometry(height, width, size, upscale=True):
    """Where `letterbox` puts images of given sizes.

    Args:
        height: int or float tensor (...). Of the images, in pixels.
        width: int or float tensor (...).
        size: int, or (height, width) as ints. The size of the frame.
        upscale: bool. Whether small images are enlarged.

    Returns:
        scaled, int32 tensor (..., 2), height and width of the images inside the frame; before,
        int32 tensor (..., 2), rows and columns of padding before them.
    """
    frame = _pair(size)
    old = tf.stack([tf.cast(height, tf.float64), tf.cast(width, tf.float64)], axis=-1)
    factor = tf.reduce_min(tf.constant(frame, tf.float64) / old, axis=-1, keepdims=True)
    factor = factor if upscale else tf.minimum(factor, 1.0)
    scaled = tf.clip_by_value(_rounded(old * factor), 1, frame)
    return scaled, (frame - scaled) // 2


def _place(image, scaled_size, offset, size, method):
    """Draws the image, resized to `scaled_size`, at `offset` on a canvas of `size`."""
    old = tf.cast(_spatial_shape(image), tf.float32)
    resized = tf.raw_ops.ScaleAndTranslate(
        images=tf.cast(image, tf.float32)[tf.newaxis],
        size=size,
        scale=tf.cast(scaled_size, tf.float32) / old,
        translation=tf.cast(offset, tf.float32),
        kernel_type=KERNELS[method],
        antialias=True,
    )[0]
    if not tf.is_tensor(size):
        resized = tf.ensure_shape(resized, (*map(tf.get_static_value, size), image.shape[2]))
    return tf.clip_by_value(resized, 0.0, 255.0) if method == "bicubic" else resized


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def _spatial_shape(image):
    return tf.shape(image)[:2]


def _rounded(sides):
    return tf.cast(tf.round(sides), tf.int32)
