"""The SavedModel of a tagger: raw text in, spans with their labels out."""

import dataclasses

import numpy as np
import tensorflow as tf

from apps.bert.finetuning.serving import FineTunedServing
from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll_columns import OUTSIDE
from apps.bert.tasks.labels import span_type
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.text_between import text_between


class TaggingServing(FineTunedServing):
    """Spans, such as named entities, in raw text.

    Signatures:
        serving_default: `text` string [N] to `num_spans` int32 [N] and, padded to the longest row
            S, `span_label` string [N, S], `span_start` and `span_end` int32 [N, S], `span_text`
            string [N, S] and `span_score` f32 [N, S], the lowest probability of a span's tags.
            `text[span_start:span_end]` is the span; offsets count Unicode characters; and to
            `truncated` bool [N], whether the text was cut.
        words: `words` string [N, W], padded by "", to `tags` string [N, W], the tag of each word;
            words beyond the longest sequence get "O", or "" if that is none of the tags.

    Tags are read as IOB2, leniently: an I- tag that continues nothing begins a span. With other
    tags, such as parts of speech, every word between spaces is a span.

    Args: those of `FineTunedServing`; the labels are tags such as "O", "B-PER" and "I-PER"; and
        columns: columns of the training data that the user named.
    """

    def __init__(self, *args, columns: Columns = Columns(), **kwargs):
        super().__init__(*args, **kwargs)
        self.columns = columns
        types = sorted({span_type(name) for name in self.labels} - {""})
        number = {name: index for index, name in enumerate(types)}
        # By tag: the index of its type (-1 for O), whether it begins a span, and whether it is the
        # tag of a word rather than of a span.
        self.types = tf.constant([number.get(span_type(name), -1) for name in self.labels])
        self.begins = tf.constant([name.startswith("B-") for name in self.labels])
        self.of_word = tf.constant([span_type(name) == name for name in self.labels])
        self.type_names = tf.constant(types or [""])

    def task(self):
        return super().task() | {"columns": dataclasses.asdict(self.columns)}

    def spans(self, text) -> dict[str, tf.Tensor]:
        token_ids, starts, ends, leads = self.tokenizer.tokenize_with_leads(text)
        truncated = token_ids.row_lengths() > self.max_length - 2
        starts = starts[:, : self.max_length - 2].to_tensor()
        ends = ends[:, : self.max_length - 2].to_tensor()
        tags, scores = self._tags(token_ids)
        token_ids = token_ids[:, : self.max_length - 2].to_tensor(self.tokenizer.pad)
        leads = leads[:, : self.max_length - 2].to_tensor()
        tags = _carried(tags, leads)
        types = tf.where(token_ids != self.tokenizer.pad, tf.gather(self.types, tags), -1)
        begins = tf.gather(self.begins, tags) | (types != _before(types))
        begins |= tf.gather(self.of_word, tags) & (starts > _before(ends))
        begins &= leads & (types >= 0)
        found = self._found(text, types, begins, starts, ends, _carried(scores, leads))
        return found | {"truncated": truncated}

    def _tags(self, token_ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The best tag of each piece and its probability, (N, P), without special tokens."""
        x = self.tokenizer.pack(token_ids, None, self.max_length)
        probabilities = tf.nn.softmax(tf.cast(self.model(x, training=False), tf.float32))[:, 1:-1]
        tags = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        return tags, tf.reduce_max(probabilities, axis=-1)

    def _found(self, text, types, begins, starts, ends, scores) -> dict[str, tf.Tensor]:
        """Spans (N, S) from per-piece arrays (N, P); `begins` marks the first piece of each."""
        counts = tf.reduce_sum(tf.cast(begins, tf.int32), axis=1)
        max_spans = tf.reduce_max(tf.concat([counts, [1]], 0))
        rows = tf.shape(types)[0]
        span = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1
        slots = tf.where(types >= 0, tf.range(rows)[:, None] * max_spans + span, rows * max_spans)

        def gathered(combine, values):
            found = combine(tf.reshape(values, [-1]), tf.reshape(slots, [-1]), rows * max_spans + 1)
            return tf.reshape(found[:-1], [rows, max_spans])

        real = tf.range(max_spans)[None] < counts[:, None]
        first = tf.where(real, gathered(tf.math.unsorted_segment_min, starts), 0)
        last = tf.where(real, gathered(tf.math.unsorted_segment_max, ends), 0)
        label = tf.where(real, gathered(tf.math.unsorted_segment_max, types), 0)
        return {
            "num_spans": counts,
            "span_label": tf.where(real, tf.gather(self.type_names, label), ""),
            "span_start": first,
            "span_end": last,
            "span_text": text_between(text, first, last),
            "span_score": tf.where(real, gathered(tf.math.unsorted_segment_min, scores), 0.0),
        }

    def words(self, words) -> dict[str, tf.Tensor]:
        lengths = tf.reduce_sum(tf.cast(words != "", tf.int32), axis=1)
        token_ids, index, _ = self.tokenizer.tokenize_words(
            tf.RaggedTensor.from_tensor(words, lengths=lengths)
        )
        tags, _ = self._tags(token_ids)
        index = index[:, : self.max_length - 2].to_tensor(-1)
        first = index != _before(index)
        rows = tf.repeat(tf.range(tf.shape(index)[0])[:, None], tf.shape(index)[1], axis=1)
        chosen = first & (index >= 0)
        indices = tf.stack([rows[chosen], index[chosen]], axis=1)
        # There is no name of -1.
        outside = self.labels.index(OUTSIDE) if OUTSIDE in self.labels else -1
        outside = tf.fill(tf.shape(words), outside)
        tags = tf.tensor_scatter_nd_update(outside, indices, tags[chosen])
        return {"tags": self.names.lookup(tf.cast(tags, tf.int64))}

    def signatures(self):
        text = {"text": tf.TensorSpec([None], tf.string, name="text")}
        words = {"words": tf.TensorSpec([None, None], tf.string, name="words")}
        return with_empty_batches(
            {"serving_default": (text, self.spans), "words": (words, self.words)}
        )

    def examples(self):
        texts = self._example_texts()
        longest = max(len(text.split()) for text in texts)
        words = [text.split() + [""] * (longest - len(text.split())) for text in texts]
        return {
            "serving_default": {"text": texts},
            "words": {"words": np.array(words, dtype=object)},
        }

    def usage(self):
        return (
            'A request is `{"inputs": {"text": ["Anna lives in Paris."]}}`; '
            "`text[span_start:span_end]` is a span, offsets count characters."
        )


def _before(values: tf.Tensor) -> tf.Tensor:
    """Values shifted by one position, -1 at the first: (N, P)."""
    return tf.concat([-tf.ones_like(values[:, :1]), values[:, :-1]], axis=1)


def _carried(values: tf.Tensor, leads: tf.Tensor) -> tf.Tensor:
    """For each piece the value of the last leading piece at or before it, (N, P).

    A leading piece begins a token of the basic tokenizer; the first piece of a text always leads.
    """
    number = tf.maximum(tf.cumsum(tf.cast(leads, tf.int32), axis=1) - 1, 0)
    leading = tf.ragged.boolean_mask(values, leads).to_tensor()
    # A row of padding only has no leading piece.
    leading = tf.concat([leading, tf.zeros_like(values[:, :1])], axis=1)
    return tf.gather(leading, number, axis=1, batch_dims=1)
