"""The SavedModel of a classifier: image bytes to labels and probabilities."""

from functools import partial

import keras
import tensorflow as tf

from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.data import evaluation_image, image_size
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import answer_empty_batches
from shared.image.decode import decode_batch
from shared.image.example_images import example_images
from shared.text.line_tables import line_by_number

MAX_LABELS = 5


class ClassifierServing(ServingModule):
    """`image_bytes` string [N] to `labels`, `scores` [N, k] and `probabilities` [N, C].

    Args:
        model: the classifier, giving logits.
        config: its configuration.
        class_names: names of the classes, in the order of the logits.
        labels_file: path of a file with one class name a line; becomes an asset.
    """

    def __init__(
        self,
        model: keras.Model,
        config: ClassifyConfig,
        class_names: list[str],
        labels_file: str,
    ):
        self.model, self.config, self.class_names = model, config, class_names
        self.names = line_by_number(labels_file)

    def classify(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes, crops, classifies and names."""
        size = image_size(self.config)
        images = decode_batch(
            image_bytes,
            lambda image: evaluation_image(image, self.config),
            tf.TensorSpec((size, size, 3), tf.float32),
        )
        logits = tf.cast(
            answer_empty_batches(partial(self.model, training=False), images), tf.float32
        )
        probabilities = tf.nn.softmax(logits)
        scores, indices = tf.math.top_k(probabilities, k=min(MAX_LABELS, len(self.class_names)))
        labels = self.names.lookup(tf.cast(indices, tf.int64))
        return {"labels": labels, "scores": scores, "probabilities": probabilities}

    def signatures(self):
        spec = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        return {"serving_default": (spec, self.classify)}

    def trackables(self):
        return [self.model, self.names]

    def examples(self):
        return {"serving_default": {"image_bytes": example_images()}}

    def extra_assets(self):
        return {"labels.txt": "\n".join(self.class_names) + "\n"}
