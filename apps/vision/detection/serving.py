"""The SavedModel of a detector: image bytes to boxes of the original images."""

from typing import Any

import tensorflow as tf

from apps.vision.detection.config import DetectConfig
from apps.vision.detection.data import network_image
from apps.vision.detection.detectors.build import ONE_STAGE
from apps.vision.detection.detectors.detector import Detector
from apps.vision.detection.letterbox_boxes import to_original
from apps.vision.detection.rounding_stable_examples import rounding_stable_examples
from apps.vision.detection.thresholds import THRESHOLDS, threshold_variables
from shared.common.errors import KerasuiteError
from shared.engine.saved_model.network_serving import NetworkServing
from shared.image.decode import decode_batch
from shared.image.resize import FILL
from shared.text.line_tables import line_by_number


class DetectorServing(NetworkServing):
    """`image_bytes` string [N] to detections by the names of TensorFlow Object Detection.

    The outputs, best first, M rows for each image: `detection_boxes` float32 [N, M, 4], ymin,
    xmin, ymax, xmax in parts of the original upright image; `detection_scores` float32 [N, M];
    `detection_classes` int32 [N, M], from 0; `detection_labels` string [N, M], their names;
    `num_detections` int32 [N]. Rows after the first `num_detections` are 0 or "".

    Args:
        model: the detector.
        config: its configuration.
        class_names: names of the classes, in the order of the model.
        labels_file: path of a file with one class name a line; becomes an asset.
    """

    quantizable = True
    graph_methods = ("letterboxed", "answer")

    def __init__(
        self,
        model: Detector,
        config: DetectConfig,
        class_names: list[str],
        labels_file: str,
    ):
        self.side = config.model.image_size
        super().__init__(model, tf.TensorSpec((None, self.side, self.side, 3), tf.float32))
        self.model, self.config, self.class_names = model, config, class_names
        self.names = line_by_number(labels_file)
        self.thresholds = threshold_variables(config.thresholds)

    def detect(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Detects with the export's own thresholds."""
        return self.detect_with(image_bytes, **self.thresholds)

    def detect_with(
        self,
        image_bytes: tf.Tensor,
        confidence: tf.Tensor,
        iou: tf.Tensor,
        max_detections: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Decodes, letterboxes, detects, maps back and names.

        Args:
            image_bytes: string (N,). Image files.
            confidence: float scalar. Only scores above it count.
            iou: float scalar. Overlap above which the weaker of two boxes is dropped.
            max_detections: int scalar. M, the maximum number of boxes of one image.
        """
        squares, sizes = self.letterboxed(image_bytes)
        return self.answer(self.outputs_of(squares), sizes, confidence, iou, max_detections)

    def answer(self, outputs, sizes, confidence, iou, max_detections) -> dict[str, tf.Tensor]:
        """The model's outputs as detections in the original images.

        Args:
            outputs: the model's.
            sizes: int32 (N, 2). Height and width of the images.
            confidence, iou, max_detections: see `detect_with`.
        """
        found = self.detections(outputs, confidence, iou, max_detections)
        boxes = to_original(found["boxes"], sizes[:, 0], sizes[:, 1], self.side)
        labels = self.names.lookup(tf.cast(found["classes"], tf.int64))
        is_used = tf.range(tf.shape(labels)[1]) < found["count"][:, tf.newaxis]
        return {
            "detection_boxes": tf.gather(boxes, [1, 0, 3, 2], axis=-1),
            "detection_scores": found["scores"],
            "detection_classes": found["classes"],
            "detection_labels": tf.where(is_used, labels, ""),
            "num_detections": found["count"],
        }

    def outputs(self, image_bytes: tf.Tensor) -> dict:
        """The model's outputs for image files."""
        squares, _ = self.letterboxed(image_bytes)
        return self.outputs_of(squares)

    def letterboxed(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Squares, float32 (N, side, side, 3), and (height, width) of the originals (N, 2)."""
        spec = (tf.TensorSpec((self.side, self.side, 3), tf.float32), tf.TensorSpec((2,), tf.int32))
        return decode_batch(
            image_bytes, lambda image: (network_image(image, self.side), tf.shape(image)[:2]), spec
        )

    def detections(self, outputs, confidence, iou, max_detections) -> dict[str, tf.Tensor]:
        """`Detector.detections` of the model's outputs, boxes in parts of the square."""
        return self.model.detections(outputs, self.side, self.side, confidence, iou, max_detections)

    def signatures(self):
        images = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
        return {
            "serving_default": (images, self.detect),
            "with_thresholds": (images | THRESHOLDS, self.detect_with),
        }

    def trackables(self):
        return [self.names]

    def attributes(self):
        return self.thresholds

    def examples(self):
        thresholds = {name: variable.numpy() for name, variable in self.thresholds.items()}
        return rounding_stable_examples(
            self.outputs,
            self.detections,
            self.model.decisive_outputs,
            thresholds,
            self.config.precision,
        )

    def facts(self) -> dict[str, Any]:
        architecture = self.config.model.architecture
        if architecture not in ONE_STAGE:
            raise KerasuiteError(
                f"--format: '{architecture}' computes with weights after its network, on regions; "
                f"export it as a SavedModel, without --format"
            )
        return {
            "image": {"size": self.side, "resize": "letterbox", "fill": FILL},
            "labels": self.class_names,
            "architecture": architecture,
            "decoding": self.model.decoding(),
        }

    def extra_assets(self):
        return {"labels.txt": "\n".join(self.class_names) + "\n"}

    def usage(self):
        return USAGE


USAGE = """\
A request for `serving_default`, with the thresholds that the export was made with:

```json
{"instances": [{"image_bytes": {"b64": "..."}}]}
```

and for `with_thresholds`, which takes them from the request:

```json
{"signature_name": "with_thresholds",
 "inputs": {"image_bytes": [{"b64": "..."}], "confidence": 0.5, "iou": 0.6, "max_detections": 100}}
```

Images may be JPEG, PNG, GIF, BMP or WebP of unequal sizes. `detection_boxes` are ymin, xmin,
ymax, xmax in parts of the upright image (EXIF orientation applied); only the first
`num_detections` rows of an image count. `detection_classes` are lines of
`assets.extra/labels.txt`, counted from 0. The thresholds of `serving_default` are variables:

```python
loaded = tf.saved_model.load("MODEL")
loaded.confidence.assign(0.5)  # and iou, max_detections
```"""
