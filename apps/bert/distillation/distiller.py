"""A student that learns a task from a teacher."""

import keras
from keras import ops

from apps.bert.distillation.config import TransferConfig
from apps.bert.distillation.layer_transfer import LayerTransfer
from apps.bert.finetuning.fine_tuner import FineTuner
from shared.common import config as configs


@keras.saving.register_keras_serializable(package="kerasuite")
class Distiller(FineTuner):
    """A `FineTuner` that learns from a teacher while it is trained.

    In the stage "intermediate" the student's layers learn from the teacher's, in "prediction" its
    predictions. A trained student needs no teacher.

    Args: those of `FineTuner`, and
        transfer: `TransferConfig`. The losses and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Attributes:
        teacher: `Teacher`, set before training. Not called where batches contain its outputs as
            `y["teacher"]`.
        stage: "intermediate", "prediction", or "both" at once.

    Reference: [Jiao et al., 2020](https://arxiv.org/abs/1909.10351)
    """

    def __init__(self, *args, transfer: TransferConfig, teacher_dim: int, mapping, **kwargs):
        super().__init__(*args, **kwargs)
        transfer = configs.from_dict(TransferConfig, transfer)
        self.transfer = LayerTransfer(transfer, teacher_dim, mapping, name="transfer")
        self.teacher, self.stage = None, "both"

    def build(self, input_shape=None):
        super().build(input_shape)
        self.transfer.build((None, None, self.config.hidden_dim))

    def call(self, x, training=None):
        """Logits; in training a dict of "logits" and the layer outputs that are compared."""
        if not training:
            return super().call(x, training=False)
        if self.stage == "prediction":
            return {"logits": super().call(x, training=True)}
        encoded = self.encode(
            x, training=True, output_hidden_states=True, output_attentions="scores"
        )
        return {**encoded, "logits": self.head(encoded, x, training=True)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        teacher, terms = self._teacher_outputs(x, y), {}
        if self.stage != "prediction":
            terms |= self.transfer(y_pred, teacher, *self._rows(x, y["labels"]))
        if self.stage != "intermediate":
            terms |= self._prediction_terms(y["labels"], y_pred["logits"], teacher["logits"])
        return terms

    def _teacher_outputs(self, x, y):
        if "teacher" not in y:
            return self.teacher(x, () if self.stage == "prediction" else self.transfer.needed)
        kept = dict(y["teacher"])
        if self.task_type != "choice":
            return kept
        # Layer outputs have a row for each choice, logits a column.
        logits = kept.pop("logits")
        return {name: _flat(value) for name, value in kept.items()} | {"logits": logits}

    def _prediction_terms(self, labels, logits, teacher):
        config, terms = self.transfer.config, {}
        if config.soft_weight:
            loss = self.head.distillation_loss(labels, logits, teacher, config.temperature)
            terms["soft"] = config.soft_weight * loss
        if config.soft_weight < 1:
            terms["hard"] = (1 - config.soft_weight) * self.head.loss(labels, logits)
        return terms

    def _rows(self, x, labels):
        """Padding mask and item counts of the encoder's rows; each choice is a row."""
        real, items = self.encoder.padding_mask(x), self.head.item_counts(labels)
        if self.task_type != "choice":
            return real, items
        return _flat(real), _flat(ops.broadcast_to(items[:, None], ops.shape(real)[:2]))

    # === Saving ===

    def get_config(self):
        return {
            **super().get_config(),
            "transfer": configs.to_dict(self.transfer.config),
            "teacher_dim": self.transfer.teacher_dim,
            "mapping": self.transfer.mapping,
        }


def _flat(tensor):
    """(B, K, ...) to (B K, ...)."""
    return ops.reshape(tensor, (-1, *ops.shape(tensor)[2:]))
