"""The classifier: a backbone, a head, and its loss."""

from collections.abc import Sequence

import keras
from keras import ops

from apps.vision.backbones.heads import classification_head
from apps.vision.backbones.registry import build_backbone, default_head
from apps.vision.backbones.weights import load_head_weights
from apps.vision.classification.config import ClassifyConfig, LossConfig
from apps.vision.classification.data import image_size
from shared.common.config import from_dict, to_dict
from shared.common.errors import KerasuiteError
from shared.losses.binary_cross_entropy import binary_cross_entropy

# oneDNN's backward convolution of 8 channels writes past its buffer for odd batches ("double free
# or corruption" at the next allocation); 12 channels were seen to be safe.
MIN_WIDTH = 12


@keras.saving.register_keras_serializable(package="kerasuite")
class Classifier(keras.Model):
    """Logits of an image over the classes.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`; see `build_classifier`.
        loss: LossConfig. Label smoothing; the penalties are the layers' own.
        flip_average: bool. Averages the scores of an image and its mirror image outside training.
        class_weights: None, or C floats that the loss of each class is multiplied by; of several
            labels the loss of those that are present.
        multilabel: bool. Whether an image has any number of labels: sigmoids instead of a softmax.

    Call arguments:
        inputs: float tensor (B, S, S, 3), RGB in 0..255.

    Returns:
        float32 tensor (B, C) of logits.
    """

    def __init__(
        self,
        inputs,
        outputs,
        name=None,
        *,
        loss=LossConfig(),
        flip_average=False,
        class_weights=None,
        multilabel=False,
        **kwargs,
    ):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.loss_config = from_dict(LossConfig, loss)
        self.flip_average = flip_average
        self.class_weights = class_weights
        self.multilabel = multilabel

    def call(self, inputs, training=None, mask=None):
        logits = super().call(inputs, training=training, mask=mask)
        if training or not self.flip_average:
            return logits
        mirrored = super().call(ops.flip(inputs, axis=2), training=training, mask=mask)
        if self.multilabel:
            present = (ops.sigmoid(logits) + ops.sigmoid(mirrored)) / 2
            return ops.log(present + 1e-12) - ops.log(1 - present + 1e-12)
        return ops.log((ops.softmax(logits) + ops.softmax(mirrored)) / 2 + 1e-12)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean cross-entropy over the batch plus the penalties of the kernels.

        Args:
            y: float tensor (B, C), one-hot or mixed targets; several 1 for several labels.
            y_pred: float tensor (B, C), logits.

        Returns:
            Dict of the terms "cross_entropy" (of several labels the mean over these, too) and, if
            there are penalties, "penalty".
        """
        smoothing = self.loss_config.label_smoothing if training else 0.0
        if self.multilabel:
            losses = binary_cross_entropy(y, y_pred, self.class_weights, smoothing)
        else:
            losses = self._softmax_losses(y, y_pred, smoothing)
        terms = {"cross_entropy": ops.mean(losses)}
        if self.losses:
            terms["penalty"] = ops.cast(sum(self.losses), losses.dtype)
        return terms

    def _softmax_losses(self, y, logits, smoothing):
        targets = y * (1 - smoothing) + smoothing / ops.shape(y)[-1] if smoothing else y
        losses = ops.categorical_crossentropy(targets, logits, from_logits=True)
        if self.class_weights is None:
            return losses
        return losses * ops.matmul(y, ops.convert_to_tensor(self.class_weights, "float32"))

    def batch_metrics(self, x, y, y_pred, sample_weight=None):
        """Share of the batch whose largest logit is at the largest target; of one class only."""
        if self.multilabel:
            return {}
        right = ops.equal(ops.argmax(y, axis=-1), ops.argmax(y_pred, axis=-1))
        return {"accuracy": ops.mean(ops.cast(right, "float32"))}

    def get_config(self):
        weights = self.class_weights
        return super().get_config() | {
            "loss": to_dict(self.loss_config),
            "flip_average": self.flip_average,
            "multilabel": self.multilabel,
            "class_weights": None if weights is None else [float(weight) for weight in weights],
        }


def build_classifier(
    config: ClassifyConfig,
    num_classes: int,
    synchronized: bool = False,
    weights: str = "none",
    class_weights: Sequence[float] | None = None,
) -> Classifier:
    """Builds the network that a configuration describes.

    Args:
        config: the configuration.
        num_classes: int. Number of classes C.
        synchronized: bool. Synchronises batch normalisation over the replicas.
        weights: str. "imagenet", "none" or a weights file.
        class_weights: see `Classifier`.
    """
    size, model = image_size(config), config.model
    if 0 < model.width < MIN_WIDTH:
        raise KerasuiteError(
            f"--width {model.width}: use at least {MIN_WIDTH}; TensorFlow 2.21 corrupts memory "
            f"when it trains narrower convolutions on a CPU"
        )

    # === Backbone ===
    backbone = build_backbone(
        model.backbone,
        input_shape=(size, size, 3),
        weights=weights,
        small_stem=model.small_stem,
        width=model.width or None,
        drop_path=model.drop_path,
        kernel_regularizer=kernel_penalty(config),
        synchronized_batch_norm=synchronized,
    )

    # === Functional model ===
    logits = classification_head(
        backbone.output,
        num_classes,
        kind=default_head(model.backbone) if model.head == "auto" else model.head,
        dropout=model.dropout,
        kernel_regularizer=kernel_penalty(config),
    )
    classifier = Classifier(
        backbone.input,
        logits,
        name="classifier",
        loss=config.loss,
        flip_average=model.flip_average,
        class_weights=class_weights,
        multilabel=config.is_multilabel,
    )
    load_head_weights(classifier, model.backbone, weights)
    classifier.backbone_layers = [layer.name for layer in backbone.layers]
    return classifier


def kernel_penalty(config: ClassifyConfig) -> keras.regularizers.Regularizer | None:
    """The L1/L2 penalty on kernels, or None."""
    if not config.loss.l1 and not config.loss.l2:
        return None
    return keras.regularizers.L1L2(l1=config.loss.l1, l2=config.loss.l2)
