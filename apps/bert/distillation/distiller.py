"""A student that learns a task from a teacher."""

import keras
from keras import ops

from apps.bert.distillation.config import TransferConfig
from apps.bert.distillation.layer_transfer import LayerTransfer
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.fine_tuner import FineTuner


@keras.saving.register_keras_serializable(package="kerasuite")
class Distiller(FineTuner):
    """A fine-tuned student that has a teacher while it is trained.

    In the stage "intermediate" the student's layers learn from the teacher's; in "prediction" its
    predictions do. What it is afterwards is a `FineTuner` like any other.

    Args: those of `FineTuner`, and
        transfer: which losses, and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Attributes:
        teacher: `Teacher`, set before training; not asked where batches bring its outputs along,
            as `y["teacher"]`.
        stage: "intermediate", "prediction" or "both" at once.

    Reference: [Jiao et al., 2020](https://arxiv.org/abs/1909.10351)
    """

    def __init__(self, *args, transfer: TransferConfig, teacher_dim: int, mapping, **kwargs):
        super().__init__(*args, **kwargs)
        self.transfer = LayerTransfer(transfer, teacher_dim, mapping, name="transfer")
        self.teacher, self.stage = None, "both"

    def build(self, input_shape=None):
        super().build(input_shape)
        self.transfer.build((None, None, self.config.hidden_dim))

    def call(self, x, training=None):
        """Logits; while training a dict of them and of what layers are compared by."""
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
        if self.kind != "choice":
            return kept
        # Layers have the choices one below the other, logits side by side.
        logits = kept.pop("logits")
        return {name: _flat(value) for name, value in kept.items()} | {"logits": logits}

    def _prediction_terms(self, labels, logits, teacher):
        config, terms = self.transfer.config, {}
        if config.soft_weight:
            soft = self.head.soft_loss(labels, logits, teacher, config.temperature)
            terms["soft"] = config.soft_weight * soft
        if config.soft_weight < 1:
            terms["hard"] = (1 - config.soft_weight) * self.head.loss(labels, logits)
        return terms

    def _rows(self, x, labels):
        """Where the encoder's rows are real, and what each counts; a choice is a row of its own."""
        real, items = self.encoder.padding_mask(x), self.head.row_items(labels)
        if self.kind != "choice":
            return real, items
        return _flat(real), _flat(ops.broadcast_to(items[:, None], ops.shape(real)[:2]))

    def get_config(self):
        import dataclasses

        return {
            **super().get_config(),
            "transfer": dataclasses.asdict(self.transfer.config),
            "teacher_dim": self.transfer.teacher_dim,
            "mapping": self.transfer.mapping,
        }

    @classmethod
    def from_config(cls, config):
        return cls(
            **config
            | {
                "encoder": EncoderConfig(**config["encoder"]),
                "transfer": TransferConfig(**config["transfer"]),
            }
        )


def _flat(tensor):
    """(B, K, ...) to (B K, ...)."""
    return ops.reshape(tensor, (-1, *ops.shape(tensor)[2:]))
