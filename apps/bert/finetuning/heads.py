"""Heads on top of the encoder, one for each family of tasks in the BERT paper.

A head computes logits from the encoder's outputs and defines the loss, a mean over items, and the
number of these items. Labels of IGNORED have no weight: padding, later pieces of a word, and
answers outside a window.

Reference: [Devlin et al., 2019, section 4](https://arxiv.org/abs/1810.04805)
"""

import keras
from keras import ops

from apps.bert.encoder import IGNORED, bert_initializer, mean_of_tokens
from shared.layers import Dropout
from shared.losses.binary_cross_entropy import (
    binary_cross_entropy,
    softened_binary_cross_entropy,
)
from shared.losses.softened_cross_entropy import softened_cross_entropy

# Logit of positions that cannot be part of an answer.
_MASKED_LOGIT = -1e9


class Head(keras.layers.Layer):
    """Dropout and a dense layer, in float32.

    Args:
        num_outputs: int. Logits of each item.
        pooling: "pooler", "cls" or "mean": the vector of a sentence.
        dropout: float.
        class_weights: floats (num_outputs,), or None for equal ones.

    Class attributes:
        of_tokens: whether there are logits for each token rather than for a sentence.
    """

    of_tokens = False

    def __init__(
        self,
        num_outputs: int,
        pooling: str = "pooler",
        dropout: float = 0.1,
        class_weights: tuple[float, ...] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_outputs = num_outputs
        self.pooling = pooling
        self.dropout = dropout
        self.class_weights = class_weights

    def build(self, encoded_shape):
        self.input_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        # In float32, as losses are; mixed precision ends here.
        self.dense = keras.layers.Dense(
            self.num_outputs,
            kernel_initializer=bert_initializer(),
            dtype="float32",
            name="dense",
        )
        self.dense.build((None, encoded_shape[-1]))
        self.built = True

    def call(self, encoded, x, training=None):
        """Logits from the encoder's outputs for x."""
        raise NotImplementedError

    def loss(self, labels, logits):
        """Loss, averaged over the items of the batch."""
        raise NotImplementedError

    def distillation_loss(self, labels, logits, teacher, temperature):
        """Cross-entropy with the teacher's softened predictions, averaged over items.

        Args:
            labels: labels of the batch.
            logits, teacher: logits of the student and of the teacher.
            temperature: float. Divides the logits of both.
        """
        return ops.mean(softened_cross_entropy(teacher, logits, temperature))

    def item_counts(self, labels):
        """Number of items of each row, int (B,)."""
        return ops.ones(ops.shape(labels)[:1], "int32")

    @property
    def first_only(self) -> bool:
        """Whether the head reads only the first position of the encoder's output."""
        return self.pooling != "mean" and not self.of_tokens

    def _logits(self, features, training):
        return self.dense(self.input_dropout(features, training=training))

    def _sentence(self, encoded, x):
        if self.pooling == "pooler":
            return encoded["pooled"]
        if self.pooling == "cls":
            return encoded["sequence"][:, 0]
        return mean_of_tokens(encoded["sequence"], ops.not_equal(x["token_ids"], 0))

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "pooling": self.pooling,
            "dropout": self.dropout,
            "class_weights": self.class_weights,
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class ClassificationHead(Head):
    """One of several classes for a sentence or a pair; logits (B, C), labels int (B,)."""

    def call(self, encoded, x, training=None):
        return self._logits(self._sentence(encoded, x), training)

    def loss(self, labels, logits):
        losses = _cross_entropy(labels, logits)
        if self.class_weights is not None:
            losses = losses * ops.take(ops.convert_to_tensor(self.class_weights), labels)
        return ops.mean(losses)


@keras.saving.register_keras_serializable(package="kerasuite")
class MultilabelHead(Head):
    """Any number of labels of a sentence or a pair; logits (B, C), labels float (B, C) of 0 and 1.

    The loss is the mean over examples and labels; class weights are of labels that are present.
    """

    def call(self, encoded, x, training=None):
        return self._logits(self._sentence(encoded, x), training)

    def loss(self, labels, logits):
        return ops.mean(binary_cross_entropy(labels, logits, self.class_weights))

    def distillation_loss(self, labels, logits, teacher, temperature):
        return ops.mean(softened_binary_cross_entropy(teacher, logits, temperature))


@keras.saving.register_keras_serializable(package="kerasuite")
class RegressionHead(Head):
    """A number for a sentence or a pair; outputs (B, 1), labels float (B,); squared error."""

    def call(self, encoded, x, training=None):
        return self._logits(self._sentence(encoded, x), training)

    def loss(self, labels, logits):
        return ops.mean(ops.square(logits[:, 0] - ops.cast(labels, "float32")))

    def distillation_loss(self, labels, logits, teacher, temperature):
        return ops.mean(ops.square(logits - teacher))


@keras.saving.register_keras_serializable(package="kerasuite")
class ChoiceHead(Head):
    """The best of K choices; x has (B, K, T) tokens; logits (B, K), labels int (B,)."""

    def call(self, encoded, x, training=None):
        rows = {name: flat_choices(tensor) for name, tensor in x.items()}
        scores = self._logits(self._sentence(encoded, rows), training)
        return ops.reshape(scores, ops.shape(x["token_ids"])[:2])

    def loss(self, labels, logits):
        return ops.mean(_cross_entropy(labels, logits))


@keras.saving.register_keras_serializable(package="kerasuite")
class TaggingHead(Head):
    """A tag for each token; logits (B, T, C), labels int (B, T) with IGNORED."""

    of_tokens = True

    def call(self, encoded, x, training=None):
        return self._logits(encoded["sequence"], training)

    def loss(self, labels, logits):
        return _mean_of_tagged(_cross_entropy(ops.maximum(labels, 0), logits), labels)

    def distillation_loss(self, labels, logits, teacher, temperature):
        return _mean_of_tagged(softened_cross_entropy(teacher, logits, temperature), labels)

    def item_counts(self, labels):
        return ops.sum(ops.cast(ops.not_equal(labels, IGNORED), "int32"), axis=-1)


@keras.saving.register_keras_serializable(package="kerasuite")
class SpanHead(Head):
    """First and last token of an answer; logits (B, T, 2), labels int (B, 2).

    An answer lies in the second segment, or is position 0, which says that there is none.
    """

    of_tokens = True

    def call(self, encoded, x, training=None):
        logits = self._logits(encoded["sequence"], training)
        real = ops.not_equal(x["token_ids"], 0)
        context = ops.logical_and(real, ops.equal(x["segment_ids"], 1))
        first = ops.equal(ops.arange(ops.shape(real)[1]), 0)
        allowed = ops.logical_or(context, first)
        return ops.where(ops.expand_dims(allowed, -1), logits, _MASKED_LOGIT)

    def loss(self, labels, logits):
        return ops.mean(_cross_entropy(labels, _by_end(logits)))

    def distillation_loss(self, labels, logits, teacher, temperature):
        return super().distillation_loss(labels, _by_end(logits), _by_end(teacher), temperature)


HEADS = {
    "classification": ClassificationHead,
    "pair": ClassificationHead,
    "multilabel": MultilabelHead,
    "regression": RegressionHead,
    "choice": ChoiceHead,
    "tagging": TaggingHead,
    "question-answering": SpanHead,
}


def flat_choices(tensor):
    """(B, K, T) to (B K, T)."""
    return ops.reshape(tensor, (-1, ops.shape(tensor)[2]))


def _by_end(logits):
    """Logits of first and last tokens, (B, T, 2) to (B, 2, T)."""
    return ops.transpose(logits, (0, 2, 1))


def _mean_of_tagged(losses, labels):
    real = ops.cast(ops.not_equal(labels, IGNORED), losses.dtype)
    return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)


def _cross_entropy(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
