"""An encoder that guesses masked words, and whether two segments belong together."""

import dataclasses
from types import SimpleNamespace

import keras
from keras import ops

from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import EncoderConfig, encoder_arguments
from apps.bert.finetuning.heads import IGNORED
from apps.bert.pretraining.heads import MaskedLanguageHead


@keras.saving.register_keras_serializable(package="kerasuite")
class Pretrainer(keras.Model):
    """BERT as it is pretrained.

    Args:
        encoder: the encoder's configuration.
        vocabulary_size: int. Number of word pieces.
        paired: bool. Whether sequences have two segments, about which there is a question.

    Call arguments:
        x: dict of "tokens" and "segments", int32 (B, T), and "places", int32 (B, K).

    Returns:
        Dict of "masked", logits (B, K, V), and "next", logits (B, 2), if `paired`.

    Reference: [Devlin et al., 2019, section 3.1](https://arxiv.org/abs/1810.04805); sentence order
    is [Lan et al., 2020, section 3.1](https://arxiv.org/abs/1909.11942)
    """

    def __init__(
        self, encoder: EncoderConfig, vocabulary_size: int, paired: bool, name: str = "bert"
    ):
        super().__init__(name=name)
        self.config, self.vocabulary_size, self.paired = encoder, vocabulary_size, paired
        self.encoder = BertEncoder(vocabulary_size, **encoder_arguments(encoder), name="encoder")
        self.masked = MaskedLanguageHead(
            vocabulary_size,
            encoder.embedding_dim or encoder.hidden_dim,
            encoder.activation,
            encoder.epsilon,
            name="masked",
        )
        self.next_sentence = keras.layers.Dense(2, dtype="float32", name="next_sentence")

    def build(self, input_shape=None):
        self.encoder.build()
        self.masked.build((None, None, self.config.hidden_dim))
        self.next_sentence.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        encoded = self.encode(x, training=training)
        embedding = self.encoder.token_embedding.embeddings
        outputs = {"masked": self.masked(encoded["sequence"], x["places"], embedding)}
        if self.paired:
            outputs["next"] = self.next_sentence(encoded["pooled"])
        return outputs

    def encode(self, x, training=None, **outputs):
        """What the encoder gives; see `BertEncoder`."""
        inputs = {"tokens": x["tokens"], "segments": x["segments"]}
        return self.encoder(inputs, training=training, **outputs)

    @property
    def pretraining_heads(self) -> SimpleNamespace:
        """The layers of both heads, as `apps.bert.checkpoint.weights` names them."""
        masked = self.masked
        return SimpleNamespace(
            transform=masked.transform,
            norm=masked.norm,
            bias=masked.bias,
            next_sentence=self.next_sentence if self.paired else None,
        )

    # === Training and validation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean over the sequences; of each, the mean over its masked places.

        They are nearly equally many in all sequences, and so both losses are over the same items,
        however these are split over devices.
        """
        real = ops.cast(ops.not_equal(y["masked"], IGNORED), "float32")
        losses = _cross_entropy(ops.maximum(y["masked"], 0), y_pred["masked"])
        means = ops.sum(losses * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)
        terms = {"masked": ops.mean(means)}
        if self.paired:
            terms["next"] = ops.mean(_cross_entropy(y["next"], y_pred["next"]))
        return terms

    def predictions(self, x, y_pred):
        """The best guesses only: logits of a vocabulary are too many to gather."""
        guesses = {"masked": ops.argmax(y_pred["masked"], axis=-1)}
        if self.paired:
            guesses["next"] = ops.argmax(y_pred["next"], axis=-1)
        return guesses

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": dataclasses.asdict(self.config),
            "vocabulary_size": self.vocabulary_size,
            "paired": self.paired,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"encoder": EncoderConfig(**config["encoder"])})


def _cross_entropy(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
