"""Which images are for training and which for validation."""

import hashlib
import os
from dataclasses import replace

from apps.vision.detection.annotations.image_boxes import DetectionData, ImageBoxes
from shared.common.errors import KerasuiteError
from shared.common.splits import TRAIN, VALIDATION


def split_images(data: DetectionData, validation_split: float, seed: int) -> list[ImageBoxes]:
    """Gives every image a split: the data's own where it has both parts, else by chance.

    Chance is a digest of the seed and the image's path below the folder of all, so that neither
    the order of the files nor the path of the data has an influence.

    Args:
        data: at least two images.
        validation_split: part of the images for validation, between 0 and 1.
        seed: int.

    Returns:
        The images in the same order, `split` "train" or "validation".

    Raises:
        KerasuiteError: if there are not enough images, or one part has no box.
    """
    images = _split(data, validation_split, seed)
    for split in (TRAIN, VALIDATION):
        if not any((~image.crowd).any() for image in images if image.split == split):
            raise KerasuiteError(
                f"the {split} part has no box; annotate more images, or choose another "
                f"--validation-split or --seed"
            )
    return images


def _split(data, validation_split, seed):
    own = {image.split for image in data.images}
    if {TRAIN, VALIDATION} <= own:
        return [replace(image, split=image.split or TRAIN) for image in data.images]
    if len(data.images) < 2:
        raise KerasuiteError("only 1 usable image; one is needed to train and one to validate")
    count = round(len(data.images) * validation_split)
    count = min(max(count, 1), len(data.images) - 1)
    root = os.path.commonpath([os.path.dirname(os.path.abspath(i.path)) for i in data.images])

    def draw(image):
        path = os.path.relpath(os.path.abspath(image.path), root)
        return hashlib.sha256(f"{seed} ".encode() + os.fsencode(path)).digest()

    held_out = {image.path for image in sorted(data.images, key=draw)[:count]}
    return [
        replace(image, split=VALIDATION if image.path in held_out else TRAIN)
        for image in data.images
    ]
