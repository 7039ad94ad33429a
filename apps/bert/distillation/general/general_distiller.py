"""A student that learns from the layers of a pretrained teacher."""

import keras
from keras import ops

from apps.bert.distillation.config import LayerTransferConfig
from apps.bert.distillation.layer_transfer import LayerTransfer
from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import EncoderConfig
from shared.common import config as configs


@keras.saving.register_keras_serializable(package="kerasuite")
class GeneralDistiller(keras.Model):
    """An encoder without a head whose layers learn from a teacher's.

    Args:
        encoder: `EncoderConfig` of the student.
        vocabulary_size: int. Number of word pieces, the teacher's.
        transfer: `LayerTransferConfig`. The losses and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Call arguments:
        x: dict of "token_ids" and "segment_ids", int32 (B, T).

    Returns:
        Outputs of `BertEncoder`, with hidden states and attention scores.

    Attributes:
        teacher: `Teacher`, set before training and evaluation.

    Reference: [Jiao et al., 2020, section 3.2](https://arxiv.org/abs/1909.10351)
    """

    def __init__(
        self,
        encoder: EncoderConfig,
        vocabulary_size: int,
        transfer: LayerTransferConfig,
        teacher_dim: int,
        mapping: list[int],
        name: str = "bert",
    ):
        super().__init__(name=name)
        self.config = configs.from_dict(EncoderConfig, encoder)
        self.vocabulary_size = vocabulary_size
        self.encoder = BertEncoder(self.config, vocabulary_size, name="encoder")
        transfer = configs.from_dict(LayerTransferConfig, transfer)
        self.transfer = LayerTransfer(transfer, teacher_dim, mapping, name="transfer")
        self.teacher = None

    def build(self, input_shape=None):
        self.encoder.build()
        self.transfer.build((None, None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        return self.encode(
            x, training=training, output_hidden_states=True, output_attentions="scores"
        )

    def encode(self, x, training=None, **outputs):
        """Outputs of the encoder; see `BertEncoder`."""
        return self.encoder(x, training=training, **outputs)

    # === Training and validation, called by the engine ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        teacher = self.teacher(x, self.transfer.needed)
        real = self.encoder.padding_mask(x)
        equal_counts = ops.ones(ops.shape(real)[:1], "int32")
        return self.transfer(y_pred, teacher, real, equal_counts)

    def predictions(self, x, y_pred):
        """Number of word pieces of each sequence: layer outputs are too large to gather."""
        real = ops.cast(self.encoder.padding_mask(x), "int32")
        return {"word_pieces": ops.sum(real, axis=1)}

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": configs.to_dict(self.config),
            "vocabulary_size": self.vocabulary_size,
            "transfer": configs.to_dict(self.transfer.config),
            "teacher_dim": self.transfer.teacher_dim,
            "mapping": self.transfer.mapping,
        }
