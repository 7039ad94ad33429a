"""An encoder with the pretraining heads: masked language model and next sentence."""

from types import SimpleNamespace

import keras
from keras import ops

from apps.bert.encoder import IGNORED, BertEncoder, bert_initializer
from apps.bert.encoder_config import EncoderConfig
from apps.bert.pretraining.heads import MaskedLanguageHead
from shared.common import config as configs


@keras.saving.register_keras_serializable(package="kerasuite")
class Pretrainer(keras.Model):
    """BERT with its pretraining objectives.

    Args:
        encoder: `EncoderConfig`.
        vocabulary_size: int. Number of word pieces.
        paired: bool. Whether sequences have two segments and so a next-sentence loss.

    Call arguments:
        x: dict of "token_ids" and "segment_ids", int32 (B, T), and "masked_positions", int32
            (B, K).

    Returns:
        Dict of "masked", logits (B, K, V), and "next", logits (B, 2), if `paired`.

    Reference: [Devlin et al., 2019, section 3.1](https://arxiv.org/abs/1810.04805); sentence order
    is [Lan et al., 2020, section 3.1](https://arxiv.org/abs/1909.11942)
    """

    def __init__(
        self, encoder: EncoderConfig, vocabulary_size: int, paired: bool, name: str = "bert"
    ):
        super().__init__(name=name)
        self.config = config = configs.from_dict(EncoderConfig, encoder)
        self.vocabulary_size, self.paired = vocabulary_size, paired
        self.encoder = BertEncoder(config, vocabulary_size, name="encoder")
        self.masked = MaskedLanguageHead(
            vocabulary_size,
            config.embedding_dim or config.hidden_dim,
            config.activation,
            config.epsilon,
            name="masked",
        )
        self.next_sentence = keras.layers.Dense(
            2, kernel_initializer=bert_initializer(), dtype="float32", name="next_sentence"
        )

    def build(self, input_shape=None):
        self.encoder.build()
        self.masked.build((None, None, self.config.hidden_dim))
        self.next_sentence.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        encoded = self.encode(x, training=training)
        embedding = self.encoder.token_embedding.embeddings
        outputs = {"masked": self.masked(encoded["sequence"], x["masked_positions"], embedding)}
        if self.paired:
            outputs["next"] = self.next_sentence(encoded["pooled"])
        return outputs

    def encode(self, x, training=None, **outputs):
        """Outputs of the encoder; see `BertEncoder`."""
        inputs = {"token_ids": x["token_ids"], "segment_ids": x["segment_ids"]}
        return self.encoder(inputs, training=training, **outputs)

    @property
    def pretraining_heads(self) -> SimpleNamespace:
        """The layers of both heads, by the names that `apps.bert.checkpoint.weights` uses."""
        masked = self.masked
        return SimpleNamespace(
            transform=masked.transform,
            norm=masked.norm,
            bias=masked.bias,
            next_sentence=self.next_sentence if self.paired else None,
        )

    # === Training and validation, called by the engine ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Losses averaged over the sequences, each the mean over its masked positions.

        Sequences have nearly equally many of them, and so both losses are means over the same
        items, however these are split over devices.
        """
        real = ops.cast(ops.not_equal(y["masked"], IGNORED), "float32")
        losses = _cross_entropy(ops.maximum(y["masked"], 0), y_pred["masked"])
        means = ops.sum(losses * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)
        terms = {"masked": ops.mean(means)}
        if self.paired:
            terms["next"] = ops.mean(_cross_entropy(y["next"], y_pred["next"]))
        return terms

    def predictions(self, x, y_pred):
        """The most likely tokens only: the logits of a vocabulary are too large to gather."""
        guesses = {"masked": ops.argmax(y_pred["masked"], axis=-1)}
        if self.paired:
            guesses["next"] = ops.argmax(y_pred["next"], axis=-1)
        return guesses

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "encoder": configs.to_dict(self.config),
            "vocabulary_size": self.vocabulary_size,
            "paired": self.paired,
        }


def _cross_entropy(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
