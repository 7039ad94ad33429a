"""Images with boxes to tf.data: loading, augmentation and batches.

Targets are dicts of "boxes" float32 (B, M, 4), normalised xyxy of the square that the network
sees, "labels" int32 (B, M) and "mask" bool (B, M), True for a box. In training they also have the
random numbers that some architectures draw samples with.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.config import AugmentConfig, DetectConfig
from apps.vision.detection.detectors.build import training_draws
from apps.vision.detection.letterbox_boxes import boxes_in_square
from apps.vision.detection.mosaic import Picture, chance, mixup, mosaic, square
from apps.vision.detection.sampling import repeat_factors, weighted_indices
from apps.vision.detection.warp import random_affine, random_flips
from shared.common import stream
from shared.image import augment, mix
from shared.image.image_store import ImageStore
from shared.image.resize import letterbox, letterbox_geometry, resize

GRID = 32  # the sides of images are multiples of the coarsest stride
MIXUP_ALPHA = 32.0  # weights near one half


class Boxes(NamedTuple):
    """The boxes of all images, one after the other.

    Attributes:
        boxes: float32 tensor (total, 4), normalised xyxy of the letterboxed squares.
        labels: int32 tensor (total,).
        ends: int32 tensor (images + 1,). Image i has the boxes ends[i] to ends[i + 1].
    """

    boxes: tf.Tensor
    labels: tf.Tensor
    ends: tf.Tensor


def network_image(image: tf.Tensor, side: int) -> tf.Tensor:
    """The input of the network for an image outside training: the same in the SavedModel.

    In whole levels, so that images may be kept in memory as bytes.

    Args:
        image: uint8 (H, W, 3).
        side: int. Of the square, in pixels.

    Returns:
        float32 (side, side, 3) in 0..255.
    """
    return tf.round(letterbox(image, side)[0])


def fitted(image: tf.Tensor, side: int) -> tf.Tensor:
    """`network_image` without the padding, as it is kept in memory: uint8 (h, w, 3)."""
    shape = tf.shape(image)
    size, _ = letterbox_geometry(shape[0], shape[1], side)
    small = resize(image, tf.unstack(size))
    return tf.ensure_shape(tf.cast(tf.round(small), tf.uint8), (None, None, 3))


def gather_boxes(images: list[ImageBoxes], side: int) -> Boxes:
    """The targets of a list of images; regions of a crowd are none."""
    labels = [image.labels[~image.crowd] for image in images]
    return Boxes(
        tf.constant(boxes_in_square(images, side), tf.float32),
        tf.constant(np.concatenate(labels), tf.int32),
        tf.constant(np.cumsum([0] + [len(part) for part in labels]), tf.int32),
    )


def training_dataset(
    store: ImageStore,
    images: list[ImageBoxes],
    config: DetectConfig,
    last_mosaic_step: int,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches of (images float32 (b, S, S, 3), targets).

    Args:
        store: the images, `fitted`.
        images: their boxes.
        config: the configuration.
        last_mosaic_step: int. From this step on there is neither mosaic nor MixUp.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    side, boxes = config.model.image_size, gather_boxes(images, config.model.image_size)
    factors = repeat_factors(images) if config.data_options.class_balanced else None
    draws_of = training_draws(config)

    def example(index, seed, step):
        if factors is not None:
            index = weighted_indices(factors, seed)
        picture = training_picture(
            lambda at: _picture(store, boxes, at, side),
            index,
            seed,
            config.augment,
            side,
            len(images),
            step < last_mosaic_step,
        )
        targets = _targets(picture, side)
        targets |= draws_of(seed, tf.shape(targets["mask"])[0])
        return tf.cast(picture.image, tf.float32), targets, step

    def sized(batch, targets, steps):
        if config.augment.multi_scale:
            size = batch_side(steps[0], config)
            batch = tf.image.resize(batch, tf.stack([size, size]))
        return batch, targets

    steps = stream.training_steps(len(images), config.batch_size, config.seed, start_step, worker)
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    count = stream.worker_batch_size(config.batch_size, worker)
    batches = examples.padded_batch(count, drop_remainder=True).map(sized)
    return batches.prefetch(tf.data.AUTOTUNE)


def training_picture(
    load, index, seed, config: AugmentConfig, side: int, count: int, may_mix
) -> Picture:
    """A random view of an image or of several.

    Args:
        load: function of an index to a Picture, at most `side` pixels wide and high.
        index: int64 scalar tensor.
        seed: int32 tensor (2,), the only source of randomness.
        config: ranges and probabilities.
        side: int. Of the result.
        count: int. Number of images, from which partners are drawn.
        may_mix: bool scalar tensor. Whether mosaic and MixUp are still on.

    Returns:
        Picture of (side, side, 3).
    """
    seeds = tf.unstack(tf.random.split(seed, 8))

    def four(at, seed):
        draw, centre, move = tf.unstack(tf.random.split(seed, 3))
        others = tf.random.stateless_uniform((3,), draw, 0, count, tf.int64)
        pictures = [load(at), *(load(other) for other in tf.unstack(others))]
        return random_affine(mosaic(pictures, centre, side), move, side, config)

    def one():
        return random_affine(square(load(index), side), seeds[0], side, config)

    def mixed():
        first = four(index, seeds[1])
        if not config.mixup:
            return first
        partner = tf.random.stateless_uniform((), seeds[2], 0, count, tf.int64)
        weight = mix.beta((), seeds[3], MIXUP_ALPHA)
        return tf.cond(
            chance(seeds[4], config.mixup),
            lambda: mixup(first, four(partner, seeds[5]), weight),
            lambda: first,
        )

    if config.mosaic:
        picture = tf.cond(may_mix & chance(seeds[6], config.mosaic), mixed, one)
    else:
        picture = one()
    flip_seed, colour_seed = tf.unstack(tf.random.split(seeds[7]))
    picture = random_flips(picture, flip_seed, config)
    return picture._replace(image=_recoloured(picture.image, colour_seed, config))


def evaluation_dataset(
    store: ImageStore,
    images: list[ImageBoxes],
    config: DetectConfig,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """A worker's images once, in order: batches of (images, targets) as in training.

    Args:
        store: the images, `fitted`.
        images: their boxes.
        config: the configuration.
        worker: (index, count).
    """
    side, boxes = config.model.image_size, gather_boxes(images, config.model.image_size)

    def example(index):
        picture = square(_picture(store, boxes, index, side), side)
        image = tf.ensure_shape(tf.cast(picture.image, tf.float32), (side, side, 3))
        return image, _targets(picture, side)

    indices = stream.evaluation_examples(len(images), config.batch_size, worker)
    examples = indices.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.padded_batch(config.batch_size).prefetch(tf.data.AUTOTUNE)


def _picture(store: ImageStore, boxes: Boxes, index, side: int) -> Picture:
    """An image at the network's size, its boxes in pixels of it."""
    image = store.load(index)
    begin, end = boxes.ends[index], boxes.ends[index + 1]
    before = tf.cast((side - tf.shape(image)[:2]) // 2, tf.float32)
    corner = tf.gather(before, [1, 0, 1, 0])
    return Picture(image, boxes.boxes[begin:end] * side - corner, boxes.labels[begin:end])


def _targets(picture: Picture, side: int) -> dict[str, tf.Tensor]:
    """Ends with a row that is no box, so that no batch is without rows."""
    return {
        "boxes": tf.pad(picture.boxes / side, [[0, 1], [0, 0]]),
        "labels": tf.pad(picture.labels, [[0, 1]]),
        "mask": tf.pad(tf.ones_like(picture.labels, tf.bool), [[0, 1]]),
    }


def _recoloured(image, seed, config: AugmentConfig):
    if not (config.hue or config.saturation or config.value):
        return image
    image = augment.random_colour(
        tf.cast(image, tf.float32),
        seed,
        brightness=config.value,
        saturation=config.saturation,
        hue=config.hue,
    )
    return image


def batch_side(step: tf.Tensor, config: DetectConfig) -> tf.Tensor:
    """Side of the images of a batch in pixels, a multiple of 32; the same on all workers.

    Args:
        step: int64 scalar tensor.
        config: the configuration.

    Returns:
        int32 scalar tensor.

    Reference: [Redmon and Farhadi, 2016](https://arxiv.org/abs/1612.08242)
    """
    change = config.augment.multi_scale
    seed = tf.stack([config.seed, tf.cast(step % (2**31 - 1), tf.int32)])
    scale = augment.uniform(seed, 1.0 - change, 1.0 + change)
    cells = tf.cast(tf.round(config.model.image_size * scale / GRID), tf.int32)
    return tf.maximum(cells, 1) * GRID
