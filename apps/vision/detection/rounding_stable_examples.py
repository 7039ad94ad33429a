"""Pictures whose detections do not hang on rounding, to verify an export with.

The fresh process that loads an export computes the same logits but for rounding. Two scores that
are nearly equal may then change places, a score at the threshold may fall under it, and the
detections differ although nothing is wrong: an untrained detector gives nearly the same score
everywhere. So the logits are shaken by more than rounding can do, and pictures whose detections
change are not used.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from shared.image.example_images import example_images

CANDIDATES = 4  # pairs of pictures
TRIALS = 4
# What rounding changes in a logit, and some times more: a part of the logits' spread, which is
# computed, and of their size, which the last addition rounds to.
OF_SPREAD = {"float32": 5e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.1}
OF_SIZE = {"float32": 5e-7, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}
# The one best detection is hardly ever undecided, and also an untrained detector has one.
BEST = {"confidence": 0.0, "iou": 0.5, "max_detections": 1}
NOTHING = BEST | {"confidence": 1.0}


def rounding_stable_examples(
    logits_of: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    suppress: Callable[..., dict[str, tf.Tensor]],
    thresholds: Mapping[str, Any],
    precision: str,
) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of both signatures, as `ServingModule.examples`.

    A signature without a single stable picture gets no pictures (`serving_default`), or
    thresholds under which nothing is detected (`with_thresholds`): the graph still runs.

    Args:
        logits_of: function of image files, string (N,), to the detector's outputs.
        suppress: function of these outputs and the thresholds, by name, to detections as
            `apps.vision.detection.nms.detect` gives them.
        thresholds: the export's own.
        precision: of the layers.
    """
    images = np.concatenate([example_images(seed) for seed in range(CANDIDATES)])
    logits = logits_of(tf.constant(images, tf.string))
    shake = _rounding(logits["class_logits"].numpy(), precision)

    def stable(thresholds):
        return _one_of_each_format(images, _is_stable(suppress, logits, thresholds, shake))

    best = stable(BEST)
    chosen = {"image_bytes": best, **BEST} if len(best) else {"image_bytes": images[:2], **NOTHING}
    return {"serving_default": {"image_bytes": stable(thresholds)}, "with_thresholds": chosen}


def _rounding(logits, precision):
    return OF_SPREAD[precision] * logits.std() + OF_SIZE[precision] * np.abs(logits).max()


def _is_stable(suppress, logits, thresholds, shake):
    """bool (N,): the pictures whose detections stay when the logits are shaken."""
    plain = suppress(logits, **thresholds)
    is_stable = np.ones(len(plain["count"]), bool)
    generator = np.random.default_rng(0)
    for _ in range(TRIALS):
        noise = generator.normal(0.0, shake, logits["class_logits"].shape)
        shaken = {**logits, "class_logits": logits["class_logits"] + noise.astype("float32")}
        iou = np.clip(thresholds["iou"] + generator.choice([-shake, shake]), 0.0, 1.0)
        other = suppress(shaken, **{**thresholds, "iou": np.float32(iou)})
        for name in ("boxes", "classes", "count"):
            same = np.isclose(plain[name], other[name], atol=1e-6)
            is_stable &= same.reshape(len(same), -1).all(axis=1)
    return is_stable


def _one_of_each_format(images, is_chosen):
    """The first chosen JPEG and the first chosen PNG; the formats take turns in `images`."""
    firsts = (np.flatnonzero(is_chosen[start::2])[:1] * 2 + start for start in (0, 1))
    return images[np.concatenate(list(firsts))]
