"""Pictures whose detections do not hang on rounding, to verify an export with.

The fresh process that loads an export computes the same logits but for rounding. Two scores that
are nearly equal may then change places, a score at the threshold may fall under it, and the
detections differ although nothing is wrong: an untrained detector gives nearly the same score
everywhere. So the outputs that decide, such as logits, are shaken by more than rounding can do, and
pictures whose detections change are not used.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from shared.image.example_images import example_images

CANDIDATES = 4  # pairs of pictures
TRIALS = 4
# What rounding changes in an output, and some times more: a part of its values' spread, which is
# computed, and of their size, which the last addition rounds to.
OF_SPREAD = {"float32": 5e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.1}
OF_SIZE = {"float32": 5e-7, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}
# How far boxes may move with the outputs that are shaken: half of what an export may differ by.
OF_BOXES = {"float32": 5e-5, "mixed_float16": 5e-3, "mixed_bfloat16": 2.5e-2}
# The one best detection is hardly ever undecided, and also an untrained detector has one.
BEST = {"confidence": 0.0, "iou": 0.5, "max_detections": 1}
NOTHING = BEST | {"confidence": 1.0}


def rounding_stable_examples(
    outputs_of: Callable[[tf.Tensor], dict[str, Any]],
    detections: Callable[..., dict[str, tf.Tensor]],
    decisive: Collection[str],
    thresholds: Mapping[str, Any],
    precision: str,
) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of both signatures, as `ServingModule.examples`.

    A signature without a single stable picture gets no pictures (`serving_default`), or
    thresholds under which nothing is detected (`with_thresholds`): the graph still runs.

    Args:
        outputs_of: function of image files, string (N,), to the detector's outputs.
        detections: function of these outputs and the thresholds, by name, to detections as
            `Detector.detections` gives them.
        decisive: names of the outputs to shake; see `Detector.decisive_outputs`.
        thresholds: the export's own.
        precision: of the layers.
    """
    images = np.concatenate([example_images(seed) for seed in range(CANDIDATES)])
    outputs = outputs_of(tf.constant(images, tf.string))
    shakes = {
        name: tf.nest.map_structure(lambda each: _rounding(each.numpy(), precision), outputs[name])
        for name in decisive
    }

    def stable(thresholds):
        return _one_of_each_format(
            images, _is_stable(detections, outputs, thresholds, shakes, OF_BOXES[precision])
        )

    best = stable(BEST)
    chosen = {"image_bytes": best, **BEST} if len(best) else {"image_bytes": images[:2], **NOTHING}
    return {"serving_default": {"image_bytes": stable(thresholds)}, "with_thresholds": chosen}


def _rounding(values, precision):
    return OF_SPREAD[precision] * values.std() + OF_SIZE[precision] * np.abs(values).max()


def _is_stable(detections, outputs, thresholds, shakes, of_boxes):
    """bool (N,): the pictures whose detections stay when the decisive outputs are shaken."""
    plain = detections(outputs, **thresholds)
    is_stable = np.ones(len(plain["count"]), bool)
    generator = np.random.default_rng(0)
    largest = max(tf.nest.flatten(shakes))

    def shaken(values, shake):
        noise = generator.normal(0.0, shake, values.shape).astype("float32")
        return values + tf.cast(noise, values.dtype)

    for _ in range(TRIALS):
        other = {
            name: tf.nest.map_structure(shaken, outputs[name], shakes[name]) for name in shakes
        }
        iou = np.clip(thresholds["iou"] + generator.choice([-largest, largest]), 0.0, 1.0)
        found = detections(outputs | other, **{**thresholds, "iou": np.float32(iou)})
        for name in ("boxes", "classes", "count"):
            same = np.isclose(plain[name], found[name], rtol=0, atol=of_boxes)
            is_stable &= same.reshape(len(same), -1).all(axis=1)
    return is_stable


def _one_of_each_format(images, is_chosen):
    """The first chosen JPEG and the first chosen PNG; the formats take turns in `images`."""
    firsts = (np.flatnonzero(is_chosen[start::2])[:1] * 2 + start for start in (0, 1))
    return images[np.concatenate(list(firsts))]
