"""The SavedModel of a generator: seeds to PNG bytes."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.generative.gan.gan import GAN
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import answer_empty_batches
from shared.engine.saved_model.seeded_pictures import noise_of_seeds, png_of_pictures
from shared.image.levels import to_levels

LABELS = "labels.txt"


class GeneratorServing(ServingModule):
    """Seeds to pictures; with classes, each of the class that is named.

    Signatures:
        serving_default: `seed` int64 [N] (and `label` string [N]) to `image_bytes` string [N],
            PNG. A seed stands for the same noise in every batch.
        latent: `latent` f32 [N, Z] (and `label`), the noise itself, to `image_bytes`.

    Args:
        model: the GAN.
        classes: names of the classes that it knows; empty if it knows none.
    """

    def __init__(self, model: GAN, classes: Sequence[str] = ()):
        self.model, self.classes = model, list(classes)
        names = tf.constant(self.classes or [""])
        numbers = tf.range(len(names), dtype=tf.int64)
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(names, numbers), default_value=-1
        )

    def of_seeds(self, seed, label=None) -> dict[str, tf.Tensor]:
        config = self.model.config
        return self.of_latents(noise_of_seeds(seed, config.latent_dim, config.noise), label)

    def of_latents(self, latent, label=None) -> dict[str, tf.Tensor]:
        rows = {"latent": latent}
        if self.classes:
            rows["label"] = self._numbers(label)
        levels = answer_empty_batches(lambda x: to_levels(self.model(x, training=False)), rows)
        return {"image_bytes": png_of_pictures(levels)}

    def _numbers(self, label: tf.Tensor) -> tf.Tensor:
        numbers = self.table.lookup(label)
        message = f"label: is none of {', '.join(self.classes)}"
        with tf.control_dependencies([tf.debugging.assert_non_negative(numbers, message)]):
            return tf.cast(numbers, tf.int32)

    def signatures(self):
        latent = tf.TensorSpec([None, self.model.config.latent_dim], tf.float32, name="latent")
        named = {"label": tf.TensorSpec([None], tf.string, name="label")} if self.classes else {}
        seed = {"seed": tf.TensorSpec([None], tf.int64, name="seed")}
        return {
            "serving_default": (seed | named, self.of_seeds),
            "latent": ({"latent": latent} | named, self.of_latents),
        }

    def trackables(self):
        return [*self.model.generators, self.table]

    def examples(self):
        count = 3
        noise = np.random.default_rng(0).normal(size=(count, self.model.config.latent_dim))
        labels = np.array([self.classes[i % len(self.classes)] for i in range(count)]
                          if self.classes else [], dtype=object)  # fmt: skip
        named = {"label": labels} if self.classes else {}
        return {
            "serving_default": {"seed": np.array([1, 2, -(2**40)])} | named,
            "latent": {"latent": noise.astype(np.float32)} | named,
        }

    def extra_assets(self):
        return {LABELS: "".join(f"{name}\n" for name in self.classes)} if self.classes else {}
