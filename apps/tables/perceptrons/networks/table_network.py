"""Base of the networks on tables: the contract with the engine, losses and predictions."""

from collections.abc import Sequence

import keras
from keras import ops

from apps.tables.perceptrons.config import LossConfig, ModelConfig
from apps.tables.perceptrons.networks.losses import class_losses, number_losses
from shared.common.config import from_dict, to_dict


class TableNetwork(keras.Model):
    """Features of rows to logits of classes, or to numbers in standard deviations.

    Args:
        config: ModelConfig. The network.
        loss: LossConfig. Loss and penalties.
        number_slots: int. Numbers S of a row.
        category_sizes: list of C ints. Places of each category.
        outputs: int. Classes, or numbers that are predicted.
        means, deviations: of the numbers that are predicted; none for classes.
        synchronized: bool. Synchronises batch normalisation over the replicas.

    Call arguments:
        x: {"numbers": float32 (B, S), "categories": int32 (B, C)}.

    Returns:
        float32 tensor (B, outputs).
    """

    def __init__(
        self,
        config: ModelConfig,
        loss: LossConfig,
        number_slots: int,
        category_sizes: Sequence[int],
        outputs: int,
        means: Sequence[float] = (),
        deviations: Sequence[float] = (),
        synchronized: bool = False,
        name: str = "table_network",
        **kwargs,
    ):
        # This name and those of the layers are fixed: `--init` finds weights by them.
        super().__init__(name=name, **kwargs)
        self.config = from_dict(ModelConfig, config)
        self.loss_config = from_dict(LossConfig, loss)
        self.number_slots = number_slots
        self.category_sizes = list(category_sizes)
        self.outputs_count = outputs
        self.means, self.deviations = list(means), list(deviations)
        self.synchronized = synchronized

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts classes."""
        return not self.means

    # === Parts of networks ===

    def penalty(self) -> keras.regularizers.Regularizer | None:
        """The penalty of kernels."""
        l1, l2 = self.loss_config.l1, self.loss_config.l2
        return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None

    def dense(self, units: int, name: str, **options) -> keras.layers.Dense:
        """A dense layer with the penalty of the configuration."""
        return keras.layers.Dense(units, kernel_regularizer=self.penalty(), name=name, **options)

    def head(self, **options) -> keras.layers.Dense:
        """The last layer; its outputs are float32."""
        return self.dense(self.outputs_count, "head", dtype="float32", **options)

    def normalization(self, kind: str, name: str) -> keras.layers.Layer:
        """The layer that normalises hidden values: "batch" or "layer"."""
        if kind == "layer":
            return keras.layers.LayerNormalization(name=name)
        return keras.layers.BatchNormalization(
            momentum=0.9, synchronized=self.synchronized, name=name
        )

    # === Training and evaluation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss over the rows, and the penalties of the kernels.

        Args:
            y: int32 tensor (B,), classes; or float32 tensor (B, T), in standard deviations.
            y_pred: float32 tensor (B, outputs).

        Returns:
            Dict of the terms "error" and, where there are any, "penalty".
        """
        y_pred = ops.cast(y_pred, "float32")
        if self.is_classifier:
            smoothing = self.loss_config.label_smoothing if training else 0.0
            losses = class_losses(y, y_pred, self.loss_config, smoothing)
        else:
            losses = number_losses(y, y_pred, self.loss_config)
        terms = {"error": ops.mean(losses)}
        if self.losses:
            terms["penalty"] = ops.cast(sum(self.losses), "float32")
        return terms

    def predictions(self, x, outputs):
        """Probabilities of classes, or numbers in the units of the data."""
        outputs = ops.cast(outputs, "float32")
        if self.is_classifier:
            return {"probabilities": ops.softmax(outputs)}
        deviations, means = (
            ops.convert_to_tensor(values, "float32") for values in (self.deviations, self.means)
        )
        return {"prediction": outputs * deviations + means}

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "number_slots": self.number_slots,
            "category_sizes": self.category_sizes,
            "outputs": self.outputs_count,
            "means": self.means,
            "deviations": self.deviations,
            "synchronized": self.synchronized,
        }
