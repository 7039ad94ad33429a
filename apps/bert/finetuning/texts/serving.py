"""The SavedModels of sentences, pairs and choices: raw text in, labels, numbers or choices out."""

import dataclasses

import numpy as np
import tensorflow as tf

from apps.bert.encoder import mean_of_tokens
from apps.bert.finetuning.serving import FineTunedServing
from apps.bert.tasks.columns import Columns
from shared.engine.multilabel.thresholds import thresholds_asset
from shared.engine.saved_model.empty_batches import with_empty_batches


class TextServing(FineTunedServing):
    """Sentences, or pairs where the model was trained on pairs.

    Signatures:
        serving_default: `text` string [N] (and `text_pair` string [N]) to `label` string [N] and
            `probabilities` f32 [N, C]; for regression to `score` f32 [N]; and to `truncated` bool
            [N], whether the text was cut.
        embed: `text` to `embedding` f32 [N, D], the mean of the last layer over the word pieces.

    Args: those of `FineTunedServing`, and
        paired: bool. Whether the model reads pairs.
        columns: columns of the training data that the user named.
    """

    def __init__(self, *args, paired: bool, columns: Columns = Columns(), **kwargs):
        super().__init__(*args, **kwargs)
        self.paired, self.columns = paired, columns

    def task(self):
        return super().task() | {"columns": dataclasses.asdict(self.columns)}

    def predict(self, text, text_pair=None) -> dict[str, tf.Tensor]:
        x, cut = self.packed(text, text_pair)
        outputs = tf.cast(self.model(x, training=False), tf.float32)
        return self.answer(outputs) | {"truncated": cut}

    def answer(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """The answers that the outputs (N, C) of the model stand for."""
        if not self.labels:
            return {"score": outputs[:, 0]}
        probabilities = tf.nn.softmax(outputs)
        label = self.names.lookup(tf.argmax(probabilities, axis=-1))
        return {"label": label, "probabilities": probabilities}

    def embed(self, text) -> dict[str, tf.Tensor]:
        x, _ = self.packed(text)
        return {"embedding": mean_of_tokens(self.model.encode(x)["sequence"], x["token_ids"] != 0)}

    def signatures(self):
        text = {"text": tf.TensorSpec([None], tf.string, name="text")}
        pair = {"text_pair": tf.TensorSpec([None], tf.string, name="text_pair")}
        texts = text | pair if self.paired else text
        return with_empty_batches(
            {"serving_default": (texts, self.predict), "embed": (text, self.embed)}
        )

    def examples(self):
        text = {"text": self._example_texts()}
        pair = {"text_pair": self._example_texts()[::-1].copy()}
        return {"serving_default": text | pair if self.paired else text, "embed": text}

    def usage(self):
        pair = ', "text_pair": ["Another."]' if self.paired else ""
        return f'A request is `{{"inputs": {{"text": ["A sentence."]{pair}}}}}`, a text an entry.'


class LabelsServing(TextServing):
    """Sentences or pairs with any number of labels.

    Signatures: those of `TextServing`; the outputs of serving_default are `probabilities` f32
        [N, C], `present` bool [N, C], in the order of `labels.txt`, and `truncated`.

    Args: those of `TextServing`, and
        thresholds: C floats. A label is present from its threshold on.
    """

    def __init__(self, *args, thresholds: list[float], **kwargs):
        super().__init__(*args, **kwargs)
        self.thresholds = thresholds

    def answer(self, outputs):
        probabilities = tf.sigmoid(outputs)
        found = probabilities >= tf.constant(self.thresholds, tf.float32)
        return {"probabilities": probabilities, "present": found}

    def extra_assets(self):
        return super().extra_assets() | thresholds_asset(self.labels, self.thresholds)


class ChoiceServing(FineTunedServing):
    """The best of several continuations.

    Signatures:
        serving_default: `text` string [N] and `choices` string [N, K] to `choice` int32 [N], the
            index of the best, `probabilities` f32 [N, K], and `truncated` bool [N], whether a
            choice was cut.
    """

    def predict(self, text, choices) -> dict[str, tf.Tensor]:
        count = tf.shape(choices)[1]
        packed, cut = self.packed(tf.repeat(text, count), tf.reshape(choices, [-1]))
        x = {
            name: tf.reshape(rows, [tf.size(text), count, tf.shape(rows)[1]])
            for name, rows in packed.items()
        }
        probabilities = tf.nn.softmax(tf.cast(self.model(x, training=False), tf.float32))
        choice = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        truncated = tf.reduce_any(tf.reshape(cut, [-1, count]), axis=1)
        return {"choice": choice, "probabilities": probabilities, "truncated": truncated}

    def signatures(self):
        spec = {
            "text": tf.TensorSpec([None], tf.string, name="text"),
            "choices": tf.TensorSpec([None, None], tf.string, name="choices"),
        }
        return with_empty_batches({"serving_default": (spec, self.predict)})

    def examples(self):
        texts = self._example_texts()
        choices = np.stack([texts[::-1], texts], axis=1)
        return {"serving_default": {"text": texts, "choices": choices}}

    def usage(self):
        return (
            'A request is `{"inputs": {"text": ["A beginning."], '
            '"choices": [["One end.", "Another end."]]}}`.'
        )
