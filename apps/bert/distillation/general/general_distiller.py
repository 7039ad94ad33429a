"""A student that learns the layers of a pretrained teacher."""

import dataclasses

import keras
from keras import ops

from apps.bert.distillation.config import LayerTransferConfig
from apps.bert.distillation.layer_transfer import LayerTransfer
from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import EncoderConfig, encoder_arguments


@keras.saving.register_keras_serializable(package="kerasuite")
class GeneralDistiller(keras.Model):
    """An encoder without a head, and what ties its layers to a teacher's.

    Args:
        encoder: the student's configuration.
        vocabulary_size: int. Number of word pieces, the teacher's.
        transfer: which losses, and their weights.
        teacher_dim: int. Width of the teacher.
        mapping: ints. The teacher's layer for each of the student's, counted from 1.

    Call arguments:
        x: dict of "tokens" and "segments", int32 (B, T).

    Returns:
        What `BertEncoder` gives, with hidden states and attention scores.

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
        self.config, self.vocabulary_size = encoder, vocabulary_size
        self.encoder = BertEncoder(vocabulary_size, **encoder_arguments(encoder), name="encoder")
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
        """What the encoder gives; see `BertEncoder`."""
        return self.encoder(x, training=training, **outputs)

    # === Training and validation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        teacher = self.teacher(x, self.transfer.needed)
        real = self.encoder.padding_mask(x)
        alike = ops.ones(ops.shape(real)[:1], "int32")
        return self.transfer(y_pred, teacher, real, alike)

    def predictions(self, x, y_pred):
        """How many word pieces each sequence has: layers are too many numbers to gather."""
        real = ops.cast(self.encoder.padding_mask(x), "int32")
        return {"word_pieces": ops.sum(real, axis=1)}

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": dataclasses.asdict(self.config),
            "vocabulary_size": self.vocabulary_size,
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
                "transfer": LayerTransferConfig(**config["transfer"]),
            }
        )
