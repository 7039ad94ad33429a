"""The SavedModel of a fine-tuned model: raw text in, labels, numbers or choices out."""

import dataclasses
import json
from typing import Any

import numpy as np
import tensorflow as tf

from apps.bert.encoder import mean_of_tokens
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.start import vocabulary_assets
from apps.bert.tasks.columns import Columns
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.line_tables import line_by_number
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

LABELS, TASK = "labels.txt", "task.json"


class FineTunedServing(ServingModule):
    """What the signatures of all kinds share.

    Args:
        model: the fine-tuned model.
        tokenizer: the word pieces that it was trained with.
        labels: names of the classes or tags; empty where there are none.
        labels_file: the same, a name a line.
        max_length: int. Longest sequence in word pieces; the rest is cut.
        texts: some raw texts, to verify the export with.

    Attributes:
        paired: bool. Whether the model reads pairs of texts.
    """

    paired = False

    def __init__(
        self,
        model: FineTuner,
        tokenizer: WordPieceTokenizer,
        labels: list[str],
        labels_file: str,
        max_length: int,
        texts: list[str],
    ):
        self.model, self.tokenizer, self.labels = model, tokenizer, labels
        self.max_length, self.texts = max_length, texts
        self.names = line_by_number(labels_file) if labels else None

    def trackables(self):
        return [self.model, self.tokenizer, *filter(None, [self.names])]

    def extra_assets(self):
        labels = {LABELS: "".join(f"{name}\n" for name in self.labels)} if self.labels else {}
        return labels | {TASK: json.dumps(self.task())} | vocabulary_assets(self.tokenizer)

    def task(self) -> dict[str, Any]:
        """What batch inference has to know of the model."""
        return {"kind": self.model.kind, "labels": self.labels, "paired": self.paired}

    def packed(
        self, text: tf.Tensor, pair: tf.Tensor | None = None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """What the encoder reads of texts (N,), or pairs of them, and which were cut, bool (N,)."""
        tokens, second = self.tokenizer(text), None
        lengths = 2 + tokens.row_lengths()  # with [CLS] and [SEP]
        if pair is not None:
            second = self.tokenizer(pair)
            lengths += 1 + second.row_lengths()
        return self.tokenizer.pack(tokens, second, self.max_length), lengths > self.max_length

    def _example_texts(self) -> np.ndarray:
        return np.array([*self.texts, "", " odd  \tspaces ☃ 中文"], dtype=object)


class TextServing(FineTunedServing):
    """Sentences, or pairs where the model was trained on pairs.

    Signatures:
        serving_default: `text` string [N] (and `text_pair` string [N]) to `label` string [N] and
            `probabilities` f32 [N, C]; for regression to `score` f32 [N]; and to `truncated` bool
            [N], whether only the beginning was read.
        embed: `text` to `embedding` f32 [N, D], the mean of the last layer over the word pieces.

    Args: those of `FineTunedServing`, and
        paired: bool. Whether the model reads pairs.
        columns: of the training data, as far as the user named them.
    """

    def __init__(self, *args, paired: bool, columns: Columns = Columns(), **kwargs):
        super().__init__(*args, **kwargs)
        self.paired, self.columns = paired, columns

    def task(self):
        return super().task() | {"columns": dataclasses.asdict(self.columns)}

    def predict(self, text, text_pair=None) -> dict[str, tf.Tensor]:
        x, cut = self.packed(text, text_pair)
        outputs = tf.cast(self.model(x, training=False), tf.float32)
        if not self.labels:
            return {"score": outputs[:, 0], "truncated": cut}
        probabilities = tf.nn.softmax(outputs)
        label = self.names.lookup(tf.argmax(probabilities, axis=-1))
        return {"label": label, "probabilities": probabilities, "truncated": cut}

    def embed(self, text) -> dict[str, tf.Tensor]:
        x, _ = self.packed(text)
        return {"embedding": mean_of_tokens(self.model.encode(x)["sequence"], x["tokens"] != 0)}

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


class ChoiceServing(FineTunedServing):
    """The best of several continuations.

    Signatures:
        serving_default: `text` string [N] and `choices` string [N, K] to `choice` int32 [N], which
            is the best, `probabilities` f32 [N, K], and `truncated` bool [N], whether one was cut.
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
