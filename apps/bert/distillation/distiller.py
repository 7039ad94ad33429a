"""A student that learns a task from a teacher."""

import keras
from keras import ops

from apps.bert.distillation.config import TransferConfig
from apps.bert.distillation.losses import (
    attention_loss,
    cosine_loss,
    hidden_loss,
    patient_loss,
)
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.fine_tuner import FineTuner


class Teacher:
    """A trained model that is asked and never trained, nor saved with the student.

    Args:
        model: a `FineTuner`, or another model with `encode`.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        model.trainable = False

    def __call__(self, x, with_layers: bool) -> dict:
        """What `BertEncoder` gives, and "logits" where the model has a head."""
        layers = {"output_hidden_states": True, "output_attentions": "scores"}
        encoded = self.model.encode(x, training=False, **(layers if with_layers else {}))
        if hasattr(self.model, "head"):
            encoded["logits"] = self.model.head(encoded, x, training=False)
        return {name: _constant(value) for name, value in encoded.items()}


def _constant(value):
    if isinstance(value, tuple):
        return tuple(ops.stop_gradient(part) for part in value)
    return ops.stop_gradient(value)


class LayerTransfer(keras.layers.Layer):
    """What a student's layers learn from those of a teacher of another width.

    Args:
        config: which losses, and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Reference: [Jiao et al., 2020, section 3](https://arxiv.org/abs/1909.10351)
    """

    def __init__(self, config: TransferConfig, teacher_dim: int, mapping: list[int], **kwargs):
        super().__init__(**kwargs)
        self.config, self.teacher_dim, self.mapping = config, teacher_dim, list(mapping)

    def build(self, student_shape):
        # One projection for the embeddings, and one that all other layers share.
        self.projections = [
            keras.layers.Dense(self.teacher_dim, use_bias=True, name=name)
            for name in ("embedding_projection", "hidden_projection")
        ]
        for projection in self.projections:
            projection.build(student_shape)
        self.built = True

    def call(self, student, teacher, real):
        """Loss terms of the layers of two encoders, by name; `real` is bool (B, T)."""
        config, terms = self.config, {}
        ours, theirs = student["hidden_states"], teacher["hidden_states"]
        pairs = list(enumerate(self.mapping, 1))
        if config.embedding_weight:
            projected = self.projections[0](ours[0])
            terms["embedding"] = config.embedding_weight * hidden_loss(projected, theirs[0], real)
        if config.hidden_weight:
            losses = [hidden_loss(self.projections[1](ours[m]), theirs[n], real) for m, n in pairs]
            terms["hidden"] = config.hidden_weight * sum(losses)
        if config.attention_weight:
            scores = student["attentions"], teacher["attentions"]
            losses = [attention_loss(scores[0][m - 1], scores[1][n - 1], real) for m, n in pairs]
            terms["attention"] = config.attention_weight * sum(losses)
        if config.patient_weight:
            # The last layers are left to the predictions.
            losses = [patient_loss(self.projections[1](ours[m]), theirs[n]) for m, n in pairs[:-1]]
            terms["patient"] = config.patient_weight * sum(losses)
        if config.cosine_weight:
            projected = self.projections[1](ours[-1])
            terms["cosine"] = config.cosine_weight * cosine_loss(projected, theirs[-1], real)
        return terms


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
        teacher: `Teacher`, set before training.
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
        """Logits; while training a dict of them and of what the encoder gives."""
        if not training:
            return super().call(x, training=False)
        encoded = self.encode(
            x, training=True, output_hidden_states=True, output_attentions="scores"
        )
        return {**encoded, "logits": self.head(encoded, x, training=True)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not training:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        teacher = self.teacher(x, with_layers=self.stage != "prediction")
        terms = {}
        if self.stage != "prediction":
            terms |= self.transfer(y_pred, teacher, self._real(x))
        if self.stage != "intermediate":
            terms |= self._prediction_terms(y["labels"], y_pred["logits"], teacher["logits"])
        return terms

    def _prediction_terms(self, labels, logits, teacher):
        config, terms = self.transfer.config, {}
        if config.soft_weight:
            soft = self.head.soft_loss(labels, logits, teacher, config.temperature)
            terms["soft"] = config.soft_weight * soft
        if config.soft_weight < 1:
            terms["hard"] = (1 - config.soft_weight) * self.head.loss(labels, logits)
        return terms

    def _real(self, x):
        real = self.encoder.padding_mask(x)
        return ops.reshape(real, (-1, ops.shape(real)[-1]))

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
