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


class LayerTransfer(keras.layers.Layer):
    """Layer-wise losses between a student and a teacher of another width.

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
        self.projections = [
            keras.layers.Dense(self.teacher_dim, use_bias=True, name=name)
            for name in ("embedding_projection", "hidden_projection")
        ]
        for projection in self.projections:
            projection.build(student_shape)
        self.built = True

    def call(self, student, teacher, padding_mask, item_counts):
        config, terms, ours = self.config, {}, student["hidden_states"]
        rows = padding_mask, item_counts
        embedding_projection, projection = self.projections
        pairs = list(enumerate(self.mapping, 1))
        if config.embedding_weight:
            loss = hidden_loss(
                embedding_projection(ours[0]), teacher["hidden_0"], padding_mask, item_counts
            )
            terms["embedding"] = config.embedding_weight * loss
        if config.hidden_weight:
            losses = [hidden_loss(projection(ours[m]), teacher[f"hidden_{n}"], *rows)
                      for m, n in pairs]  # fmt: skip
            terms["hidden"] = config.hidden_weight * sum(losses)
        if config.attention_weight:
            scores = student["attentions"]
            losses = [attention_loss(scores[m - 1], teacher[f"attention_{n}"], *rows)
                      for m, n in pairs]  # fmt: skip
            terms["attention"] = config.attention_weight * sum(losses)
        if config.patient_weight:
            losses = [patient_loss(projection(ours[m]), teacher[f"first_{n}"], item_counts)
                      for m, n in pairs[:-1]]  # fmt: skip
            terms["patient"] = config.patient_weight * sum(losses)
        if config.cosine_weight:
            loss = cosine_loss(
                projection(ours[-1]), teacher["hidden_-1"], padding_mask, item_counts
            )
            terms["cosine"] = config.cosine_weight * loss
        return terms
