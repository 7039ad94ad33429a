"""The SavedModel of a classifier: image bytes to labels and probabilities."""

from typing import Any

import keras
import tensorflow as tf

from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.data import evaluation_image, image_size
from shared.engine.multilabel.thresholds import thresholds_asset
from shared.engine.saved_model.network_serving import NetworkServing
from shared.image.decode import decode_batch
from shared.image.example_images import example_images
from shared.text.line_tables import line_by_number

MAX_LABELS = 5


class ClassifierServing(NetworkServing):
    """`image_bytes` string [N] to `labels`, `scores` [N, k] and `probabilities` [N, C].

    Args:
        model: the classifier, giving logits.
        config: its configuration.
        class_names: names of the classes, in the order of the logits.
        labels_file: path of a file with one class name a line; becomes an asset.
    """

    quantizable = True
    graph_methods = ("cropped", "answer")

    def __init__(
        self,
        model: keras.Model,
        config: ClassifyConfig,
        class_names: list[str],
        labels_file: str,
    ):
        self.size = image_size(config)
        super().__init__(model, tf.TensorSpec((None, self.size, self.size, 3), tf.float32))
        self.config, self.class_names = config, class_names
        self.names = line_by_number(labels_file)

    def classify(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decodes, crops, classifies and names."""
        return self.answer(self.outputs_of(self.cropped(image_bytes)))

    def cropped(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """The images, float32 (N, S, S, 3)."""
        return decode_batch(
            image_bytes,
            lambda image: evaluation_image(image, self.config),
            tf.TensorSpec((self.size, self.size, 3), tf.float32),
        )

    def answer(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """The outputs for logits (N, C)."""
        probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
        scores, indices = tf.math.top_k(probabilities, k=min(MAX_LABELS, len(self.class_names)))
        labels = self.names.lookup(tf.cast(indices, tf.int64))
        return {"labels": labels, "scores": scores, "probabilities": probabilities}

    def signatures(self):
        spec = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        return {"serving_default": (spec, self.classify)}

    def trackables(self):
        return [self.names]

    def examples(self):
        return {"serving_default": {"image_bytes": example_images()}}

    def facts(self) -> dict[str, Any]:
        ratio = self.config.model.crop_ratio
        return {
            "image": {
                "size": self.size,
                "resize": "to cover, then the centre",
                "crop_ratio": ratio,
            },
            "labels": self.class_names,
        }

    def extra_assets(self):
        return {"labels.txt": "\n".join(self.class_names) + "\n"}


class LabelsServing(ClassifierServing):
    """`image_bytes` string [N] to `probabilities` f32 [N, C] and `present` bool [N, C].

    Args: those of `ClassifierServing`, and
        thresholds: C floats. A label is present from its threshold on.
    """

    def __init__(self, *args, thresholds: list[float]):
        super().__init__(*args)
        self.thresholds = thresholds

    def answer(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.sigmoid(tf.cast(logits, tf.float32))
        found = probabilities >= tf.constant(self.thresholds, tf.float32)
        return {"probabilities": probabilities, "present": found}

    def trackables(self):
        return []

    def facts(self):
        return super().facts() | {"thresholds": self.thresholds}

    def extra_assets(self):
        return super().extra_assets() | thresholds_asset(self.class_names, self.thresholds)
