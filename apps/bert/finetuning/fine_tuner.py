"""An encoder with a head for one task."""

import keras
from keras import ops

from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.config import HeadConfig
from apps.bert.finetuning.heads import HEADS, flat_choices
from shared.common import config as configs


@keras.saving.register_keras_serializable(package="kerasuite")
class FineTuner(keras.Model):
    """BERT for one task.

    Args:
        encoder: `EncoderConfig`.
        head: `HeadConfig`. Pooling and dropout of the head.
        vocabulary_size: int. Number of word pieces.
        task_type: str. A key of `HEADS`.
        num_outputs: int. Classes or tags; 1 for a number or a choice, 2 for a span.
        class_weights: floats (num_outputs,), or None for equal ones.

    Call arguments:
        x: dict of "token_ids" and "segment_ids", int32 (B, T) each; (B, K, T) for choices.

    Returns:
        Logits; see the head of each task type.

    Reference: [Devlin et al., 2019](https://arxiv.org/abs/1810.04805)
    """

    def __init__(
        self,
        encoder: EncoderConfig,
        head: HeadConfig,
        vocabulary_size: int,
        task_type: str,
        num_outputs: int,
        class_weights: tuple[float, ...] | None = None,
        name: str = "bert",
    ):
        super().__init__(name=name)
        self.config = configs.from_dict(EncoderConfig, encoder)
        self.head_config = configs.from_dict(HeadConfig, head)
        self.vocabulary_size, self.task_type = vocabulary_size, task_type
        self.encoder = BertEncoder(self.config, vocabulary_size, name="encoder")
        self.head = HEADS[task_type](
            num_outputs,
            self.head_config.pooling,
            self.head_config.head_dropout,
            class_weights,
            name="head",
        )

    def build(self, input_shape=None):
        self.encoder.build()
        self.head.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        encoded = self.encode_for_head(x, training)
        return self.head(encoded, x, training=training)

    def encode_for_head(self, x, training=None):
        """Outputs of the encoder, only as far as the head reads them."""
        return self.encode(x, training=training, first_only=self.head.first_only)

    def encode(self, x, training=None, **outputs):
        """Outputs of the encoder (see `BertEncoder`); the choices of an example are rows."""
        if self.task_type == "choice":
            x = {name: flat_choices(tensor) for name, tensor in x.items()}
        return self.encoder(x, training=training, **outputs)

    # === Training and validation, called by the engine ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.head.loss(y["labels"], y_pred)

    def loss_weight(self, x, y, sample_weight):
        return ops.sum(self.head.item_counts(y["labels"]))

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": configs.to_dict(self.config),
            "head": configs.to_dict(self.head_config),
            "vocabulary_size": self.vocabulary_size,
            "task_type": self.task_type,
            "num_outputs": self.head.num_outputs,
            "class_weights": self.head.class_weights,
        }
