"""The SavedModel of an autoencoder: pictures to codes, codes and seeds to pictures."""

import json

import numpy as np
import tensorflow as tf

from apps.generative.autoencoder.autoencoder import Autoencoder, as_levels, squared_error
from apps.generative.autoencoder.config import AutoencoderConfig
from apps.generative.autoencoder.data import model_input, resized
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import answer_empty_batches, with_empty_batches
from shared.engine.saved_model.seeded_pictures import noise_of_seeds, png_of_pictures
from shared.image.decode import decode_batch
from shared.image.example_images import example_images

FACTS = "pictures.json"


class AutoencoderServing(ServingModule):
    """`image_bytes` string [N] to `code` [N, Z], `reconstruction` string [N] (PNG), `error` [N].

    The error is the mean squared difference in 0..1 of the picture, in the model's size, and its
    reconstruction. The signature `decode` takes `code` float32 [N, Z]; that of a variational
    autoencoder, `generate`, `seed` int64 [N]: both give `image_bytes` string [N], PNG.

    Args:
        model: the autoencoder.
        config: of the run.
    """

    def __init__(self, model: Autoencoder, config: AutoencoderConfig):
        self.model, self.config = model, config
        self.shape = model.image_shape

    def code(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes the files, codes the pictures and decodes their codes."""

        def picture(image):
            levels = resized(image, self.config.data_options)
            return tf.ensure_shape(model_input(levels, self.shape[-1]), self.shape)

        images = decode_batch(image_bytes, picture, tf.TensorSpec(self.shape, tf.float32))
        return answer_empty_batches(self._coded, images)

    def _coded(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        code = self.model.encode(images)
        made = self.model.decode(code)
        return {
            "code": code,
            "reconstruction": png_of_pictures(as_levels(made)),
            "error": squared_error(images, made),
        }

    def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pictures of codes."""
        return {"image_bytes": png_of_pictures(as_levels(self.model.decode(code)))}

    def generate(self, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Pictures of codes drawn from the prior; each depends on its seed alone."""
        return self.decode(noise_of_seeds(seed, self.config.model.code))

    def signatures(self):
        files = {"image_bytes": tf.TensorSpec([None], tf.string)}
        codes = {"code": tf.TensorSpec([None, self.config.model.code], tf.float32)}
        drawn = {"decode": (codes, self.decode)}
        if self.model.is_variational:
            drawn["generate"] = ({"seed": tf.TensorSpec([None], tf.int64)}, self.generate)
        return {"serving_default": (files, self.code), **with_empty_batches(drawn)}

    def trackables(self):
        return [self.model]

    def examples(self):
        codes = np.random.default_rng(0).normal(size=(2, self.config.model.code))
        found = {
            "serving_default": {"image_bytes": example_images()},
            "decode": {"code": codes.astype(np.float32)},
            "generate": {"seed": np.array([1, 2**40], np.int64)},
        }
        return {name: found[name] for name in self.signatures()}

    def extra_assets(self):
        facts = {
            "kind": self.config.model.kind,
            "code": self.config.model.code,
            "image_size": self.shape[0],
            "channels": self.shape[-1],
        }
        return {FACTS: json.dumps(facts) + "\n"}
