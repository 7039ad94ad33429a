"""An encoder with a head for one task."""

import dataclasses

import keras
from keras import ops

from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import EncoderConfig, encoder_arguments
from apps.bert.finetuning.heads import HEADS, flat_choices


@keras.saving.register_keras_serializable(package="kerasuite")
class FineTuner(keras.Model):
    """BERT for one task.

    Args:
        encoder: the encoder's configuration.
        vocabulary_size: int. Number of word pieces.
        kind: what is learnt, a key of `HEADS`.
        num_outputs: int. Classes or tags; 1 for a number or a choice, 2 for a span.
        pooling, dropout, class_weights: see `Head`.

    Call arguments:
        x: dict of "tokens" and "segments", int32 (B, T) each; (B, K, T) for choices.

    Returns:
        Logits, see the head of each kind.

    Reference: [Devlin et al., 2019](https://arxiv.org/abs/1810.04805)
    """

    def __init__(
        self,
        encoder: EncoderConfig,
        vocabulary_size: int,
        kind: str,
        num_outputs: int,
        pooling: str = "pooler",
        dropout: float = 0.1,
        class_weights: tuple[float, ...] | None = None,
        name: str = "bert",
    ):
        super().__init__(name=name)
        self.config, self.vocabulary_size, self.kind = encoder, vocabulary_size, kind
        self.encoder = BertEncoder(vocabulary_size, **encoder_arguments(encoder), name="encoder")
        self.head = HEADS[kind](num_outputs, pooling, dropout, class_weights, name="head")

    def build(self, input_shape=None):
        self.encoder.build()
        self.head.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        encoded = self.encode_for_head(x, training)
        return self.head(encoded, x, training=training)

    def encode_for_head(self, x, training=None):
        """As much of what the encoder gives as the head reads."""
        return self.encode(x, training=training, first_only=self.head.first_only)

    def encode(self, x, training=None, **outputs):
        """What the encoder gives, choices one below the other; see `BertEncoder`."""
        if self.kind == "choice":
            x = {name: flat_choices(tensor) for name, tensor in x.items()}
        return self.encoder(x, training=training, **outputs)

    # === Training and validation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.head.loss(y["labels"], y_pred)

    def loss_weight(self, x, y, sample_weight):
        return ops.sum(self.head.row_items(y["labels"]))

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": dataclasses.asdict(self.config),
            "vocabulary_size": self.vocabulary_size,
            "kind": self.kind,
            "num_outputs": self.head.num_outputs,
            "pooling": self.head.pooling,
            "dropout": self.head.dropout,
            "class_weights": self.head.class_weights,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": EncoderConfig(**config["encoder"])})
