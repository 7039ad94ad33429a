"""The second stage: the class of each region and a box for each class; its loss."""

import keras
import tensorflow as tf
from keras import ops

from apps.vision.detection.detectors.box_coding import encode_boxes
from apps.vision.detection.detectors.faster_rcnn.region_proposal import BETA, sample_mean
from apps.vision.detection.detectors.faster_rcnn.region_sampling import SampledRegions
from shared.layers import RoiAlign
from shared.losses import smooth_l1

VARIANCES = (0.1, 0.1, 0.2, 0.2)


@keras.saving.register_keras_serializable(package="kerasuite")
class RegionHead(keras.layers.Layer):
    """RoIAlign, two dense layers, and from these the logits of the classes and the offsets.

    Args:
        num_classes: int. Number of classes C, without background.
        hidden_dim: int. Width of the dense layers.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.

    Call arguments:
        features: list of float tensors (B, H_k, W_k, F), fine to coarse.
        boxes: float32 tensor (B, R, 4), normalised xyxy.

    Returns:
        class_logits, float32 (B, R, C + 1), the first for background; offsets, float32
        (B, R, C, 4), of the box of each class from the region.

    Reference: [Girshick, 2015](https://arxiv.org/abs/1504.08083)
    """

    def __init__(self, num_classes: int, hidden_dim: int, kernel_regularizer=None, **kwargs):
        # Boxes would lose their position in a half precision.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        self.hidden_dim = hidden_dim
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, features_shape, boxes_shape=None):
        self.roi_align = RoiAlign(dtype=self.dtype_policy, name="roi_align")
        inputs = self.roi_align.output_size**2 * features_shape[0][-1]
        self.hidden = []
        for number in (1, 2):
            hidden = keras.layers.Dense(
                self.hidden_dim,
                activation="relu",
                kernel_initializer="he_normal",
                kernel_regularizer=self.kernel_regularizer,
                dtype=self.dtype_policy,
                name=f"hidden_{number}",
            )
            hidden.build((None, None, inputs))
            self.hidden.append(hidden)
            inputs = self.hidden_dim
        self.class_logits, self.offsets = (
            keras.layers.Dense(
                units,
                kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
                kernel_regularizer=self.kernel_regularizer,
                dtype="float32",
                name=name,
            )
            for name, units, stddev in (
                ("class_logits", self.num_classes + 1, 0.01),
                ("offsets", self.num_classes * 4, 0.001),
            )
        )
        for layer in (self.class_logits, self.offsets):
            layer.build((None, None, inputs))

    def call(self, features, boxes):
        x = self.roi_align([*features, boxes])
        batch, count, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (batch, count, height * width * channels))
        for hidden in self.hidden:
            x = hidden(x)
        offsets = ops.reshape(self.offsets(x), (batch, count, self.num_classes, 4))
        return self.class_logits(x), offsets

    def compute_output_shape(self, features_shape, boxes_shape):
        rows = tuple(boxes_shape[:2])
        return (*rows, self.num_classes + 1), (*rows, self.num_classes, 4)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "hidden_dim": self.hidden_dim,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


def region_loss(class_logits, offsets, regions: SampledRegions) -> dict:
    """Mean over the images of the two terms of the sampled regions.

    Args:
        class_logits: float32 tensor (B, K, C + 1).
        offsets: float32 tensor (B, K, C, 4).
        regions: what they are of.

    Returns:
        Dict of float32 scalars: "class", cross-entropy; "box", smooth L1 of the offsets that
        belong to the object's class. Both are divided by the number of regions sampled.

    Reference: [Girshick, 2015](https://arxiv.org/abs/1504.08083)
    """
    classes = tf.nn.sparse_softmax_cross_entropy_with_logits(regions.labels, class_logits)
    own = tf.maximum(regions.labels - 1, 0)  # Background has no offsets.
    offsets = tf.gather(offsets, own, batch_dims=2)
    wanted = encode_boxes(regions.true_boxes, regions.boxes, VARIANCES)
    distances = tf.reduce_sum(smooth_l1(offsets - wanted, BETA), axis=-1)
    return {
        "class": sample_mean(classes, regions.is_sampled, regions.is_sampled),
        "box": sample_mean(distances, regions.is_object, regions.is_sampled),
    }
