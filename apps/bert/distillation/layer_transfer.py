"""Layer-wise distillation losses and the teacher outputs they need."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from apps.bert.distillation.config import LayerTransferConfig
from apps.bert.distillation.losses import (
    attention_loss,
    cosine_loss,
    hidden_loss,
    patient_loss,
)
from apps.bert.encoder_config import EncoderConfig


class LayerOutput(NamedTuple):
    """One output of one layer of a teacher.

    Attributes:
        part: "hidden" for the hidden states, "first" for the hidden state of the first position,
            or "attention" for the raw scores.
        layer: counted from 1; for hidden states 0 is the embeddings and -1 the last layer.
    """

    part: str
    layer: int

    @property
    def name(self) -> str:
        return f"{self.part}_{self.layer}"

    def select(self, encoded):
        """This output, out of those of a `BertEncoder`."""
        if self.part == "attention":
            return encoded["attentions"][self.layer - 1]
        hidden = encoded["hidden_states"][self.layer]
        return hidden[:, :1] if self.part == "first" else hidden

    def shape(self, encoder: EncoderConfig) -> tuple[int | None, ...]:
        """Shape for one sequence; None stands for the length."""
        if self.part == "attention":
            return encoder.block_heads[self.layer - 1], None, None
        return (1 if self.part == "first" else None), encoder.hidden_dim


def needed_outputs(config: LayerTransferConfig, mapping: Sequence[int]) -> list[LayerOutput]:
    """The teacher outputs that the losses with a weight need, without repetition.

    Args:
        config: the losses and their weights.
        mapping: the teacher's layer for each of the student's, counted from 1.
    """
    needed = []
    if config.embedding_weight:
        needed.append(LayerOutput("hidden", 0))
    if config.hidden_weight:
        needed += [LayerOutput("hidden", layer) for layer in mapping]
    if config.attention_weight:
        needed += [LayerOutput("attention", layer) for layer in mapping]
    if config.patient_weight:
        # The last layer learns from the predictions.
        needed += [LayerOutput("first", layer) for layer in mapping[:-1]]
    if config.cosine_weight:
        needed.append(LayerOutput("hidden", -1))
    return list(dict.fromkeys(needed))


def projected_losses(config: LayerTransferConfig, student_dim: int, teacher_dim: int) -> list[str]:
    """The losses with a weight that see the student through a learned projection.

    TinyBERT has one in its equations, whatever the widths. BERT-PKD and DistilBERT compare hidden
    states as they are, which only equal widths allow.

    Args:
        config: the losses and their weights.
        student_dim, teacher_dim: int. Widths of both.
    """
    names = ["embedding", "hidden"]
    if config.projection == "on" or student_dim != teacher_dim:
        names += ["patient", "cosine"]
    return [name for name in names if getattr(config, f"{name}_weight")]


class LayerTransfer(keras.layers.Layer):
    """Layer-wise losses between a student and a teacher.

    Args:
        config: `LayerTransferConfig`. The losses and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Call arguments:
        student: outputs of `BertEncoder`, with hidden states and attention scores.
        teacher: dict of the `needed` outputs of a teacher, by name.
        padding_mask: bool (B, T), True for a real token.
        item_counts: int (B,). Weight of each row.

    Returns:
        Dict of scalar loss terms.

    Reference: [Jiao et al., 2020, section 3](https://arxiv.org/abs/1909.10351)
    """

    def __init__(self, config: LayerTransferConfig, teacher_dim: int, mapping, **kwargs):
        super().__init__(**kwargs)
        self.config, self.teacher_dim, self.mapping = config, teacher_dim, list(mapping)

    @property
    def needed(self) -> list[LayerOutput]:
        return needed_outputs(self.config, self.mapping)

    def build(self, student_shape):
        # One projection of the embeddings, and one shared by all other layers.
        self.projected = projected_losses(self.config, student_shape[-1], self.teacher_dim)
        if "embedding" in self.projected:
            self.embedding_projection = self._projection("embedding_projection", student_shape)
        if set(self.projected) - {"embedding"}:
            self.hidden_projection = self._projection("hidden_projection", student_shape)
        self.built = True

    def _projection(self, name: str, student_shape) -> keras.layers.Dense:
        projection = keras.layers.Dense(self.teacher_dim, name=name)
        projection.build(student_shape)
        return projection

    def _compared(self, loss: str, hidden):
        """Hidden states of the student as a loss compares them with the teacher's."""
        return self.hidden_projection(hidden) if loss in self.projected else hidden

    def call(self, student, teacher, padding_mask, item_counts):
        config, terms, ours = self.config, {}, student["hidden_states"]
        rows = padding_mask, item_counts
        pairs = list(enumerate(self.mapping, 1))
        if config.embedding_weight:
            loss = hidden_loss(self.embedding_projection(ours[0]), teacher["hidden_0"], *rows)
            terms["embedding"] = config.embedding_weight * loss
        if config.hidden_weight:
            losses = [hidden_loss(self._compared("hidden", ours[m]), teacher[f"hidden_{n}"], *rows)
                      for m, n in pairs]  # fmt: skip
            terms["hidden"] = config.hidden_weight * sum(losses)
        if config.attention_weight:
            scores = student["attentions"]
            losses = [attention_loss(scores[m - 1], teacher[f"attention_{n}"], *rows)
                      for m, n in pairs]  # fmt: skip
            terms["attention"] = config.attention_weight * sum(losses)
        if config.patient_weight:
            losses = [
                patient_loss(self._compared("patient", ours[m]), teacher[f"first_{n}"], item_counts)
                for m, n in pairs[:-1]
            ]
            terms["patient"] = config.patient_weight * sum(losses)
        if config.cosine_weight:
            loss = cosine_loss(self._compared("cosine", ours[-1]), teacher["hidden_-1"], *rows)
            terms["cosine"] = config.cosine_weight * loss
        return terms
