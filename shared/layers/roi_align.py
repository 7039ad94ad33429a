"""RoIAlign: a feature map of fixed size for each region of an image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class RoiAlign(keras.layers.Layer):
    """Samples a map of P x P features for each box from the level of a pyramid that suits it.

    A box is divided into P x P bins. A feature of the output is the mean of S x S samples, evenly
    spread over a bin; a sample is the bilinear interpolation of the four nearest features, nothing
    is rounded. The centre of feature (i, j) is at (i + 0.5, j + 0.5). Samples more than one feature
    outside the map are zero, those between take the nearest feature of its edge.

    A box of the sides w and h is sampled from the level

        k = floor(k_0 + log2(sqrt(w h) / s_0)),

    or from the nearest that there is. Boxes are constants: no gradient flows into them. They are
    computed with in float32, whatever the dtype of the layer.

    Args:
        output_size: int. Side P of the maps.
        sampling_ratio: int. Samples S of a bin along each side.
        min_level: int. Level of the finest feature map.
        canonical_level: int. The level k_0.
        canonical_size: float. The size s_0 of the smallest boxes of the level k_0, as a share of
            the image. The paper has 224 pixels at the level 4, of images with a side of 800.

    Call arguments:
        inputs: list of the feature maps, float tensors (B, H_k, W_k, C), fine to coarse, one for
            each level; and at its end the boxes, float tensor (B, R, 4), normalised xyxy.

    Returns:
        Tensor (B, R, P, P, C) of the compute dtype.

    References: [He et al., 2017](https://arxiv.org/abs/1703.06870); the levels as in
    [Lin et al., 2017](https://arxiv.org/abs/1612.03144).
    """

    def __init__(
        self,
        output_size: int = 7,
        sampling_ratio: int = 2,
        min_level: int = 3,
        canonical_level: int = 4,
        canonical_size: float = 224 / 800,
        **kwargs,
    ):
        # Boxes would lose their position in a half precision.
        super().__init__(autocast=False, **kwargs)
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio
        self.min_level = min_level
        self.canonical_level = canonical_level
        self.canonical_size = canonical_size

    def call(self, inputs):
        *maps, boxes = inputs
        boxes = ops.stop_gradient(ops.cast(boxes, "float32"))
        levels = self.levels(boxes, len(maps))
        return sum(
            self._sampled(ops.cast(features, self.compute_dtype), boxes, levels == level)
            for level, features in enumerate(maps)
        )

    def levels(self, boxes, count: int):
        """The number of the feature map of each box.

        Args:
            boxes: float32 tensor (B, R, 4), normalised xyxy.
            count: int. Number of feature maps.

        Returns:
            int32 tensor (B, R), 0 for the finest map.
        """
        sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
        size = ops.sqrt(sides[..., 0] * sides[..., 1]) / self.canonical_size
        # Counted rather than computed, which an error of rounding in the logarithm cannot change.
        smallest = [2.0 ** (self.min_level + i - self.canonical_level) for i in range(1, count)]
        return sum(
            (ops.cast(size >= bound, "int32") for bound in smallest),
            start=ops.zeros_like(size, dtype="int32"),
        )

    def _sampled(self, features, boxes, is_level):
        """Samples of one feature map; zeros for the boxes of other levels.

        A mean of bilinear interpolations is a sum over all features, weighted by the product of a
        weight of the row and one of the column, so that two matrix products do the sampling. Its
        gradient is two more. Gathering four features for each sample would move 784 of them for
        every box, and add up as many for the gradient.
        """
        _, height, width, channels = ops.shape(features)
        batch, count, _ = ops.shape(boxes)
        side = self.output_size
        of_rows = self._weights(boxes[..., 1], boxes[..., 3], height)
        of_rows = of_rows * ops.cast(is_level, "float32")[..., None, None]
        of_columns = self._weights(boxes[..., 0], boxes[..., 2], width)
        of_rows, of_columns = (ops.cast(x, features.dtype) for x in (of_rows, of_columns))
        rows = ops.matmul(
            ops.reshape(of_rows, (batch, count * side, height)),
            ops.reshape(features, (batch, height, width * channels)),
        )
        rows = ops.reshape(rows, (batch, count, side, width, channels))
        return ops.matmul(of_columns[:, :, None], rows)

    def _weights(self, low, high, length):
        """(B, R, P, length): weight of each row (or column) of features in each of the P bins."""
        samples = self.output_size * self.sampling_ratio
        shares = (ops.arange(samples, dtype="float32") + 0.5) / samples
        extent = ops.cast(length, "float32")
        positions = (low[..., None] + (high - low)[..., None] * shares) * extent - 0.5
        is_near = (positions >= -1.0) & (positions <= extent)
        positions = ops.clip(positions, 0.0, extent - 1.0)
        distances = ops.abs(positions[..., None] - ops.arange(length, dtype="float32"))
        weights = ops.where(is_near[..., None], ops.relu(1.0 - distances), 0.0)
        bins = (*ops.shape(low), self.output_size, self.sampling_ratio, length)
        return ops.mean(ops.reshape(weights, bins), axis=-2)

    def compute_output_shape(self, input_shape):
        *maps, boxes = input_shape
        return (*boxes[:2], self.output_size, self.output_size, maps[0][-1])

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "sampling_ratio": self.sampling_ratio,
            "min_level": self.min_level,
            "canonical_level": self.canonical_level,
            "canonical_size": self.canonical_size,
        }
