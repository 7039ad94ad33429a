"""The SavedModel of a translator: sentences in, sentences out, the search included."""

import numpy as np
import tensorflow as tf

from apps.translation.config import TranslateConfig
from apps.translation.data import Tokenizers
from apps.translation.languages import LANGUAGES, languages_json
from apps.translation.translator import Translator
from shared.engine.app import ServingModule
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy
from shared.text.subword_tokenizer import END, PAD, START

# Longer sentences are cut: memory grows with the square of the length. Files are translated
# in pieces below it, see `long_lines.py`.
MAX_TOKENS = 512


class TranslatorServing(ServingModule):
    """Texts to translations; an empty text gives an empty one, with the score 0.

    Signatures:
        serving_default: `text` string [N] to `translation` string [N], `score` f32 [N], the
            log-probability over the length penalty, with the search of the run's configuration.
        with_options: the same, with `beam_size` int32 scalar and `length_penalty` f32 scalar.
        n_best: `text` and `n` int32 scalar to `translations` string [N, n] and `scores` f32
            [N, n], best first.
        score: `text` and `target` string [N] to `score` f32 [N], the log-probability of the
            target, and `tokens` int32 [N], how many it has, the end included.
        align: `text` and `target` to `source_pieces` string [N, S], `target_pieces` string [N, T]
            and `attention` f32 [N, T, S]; shorter rows are filled with "" and 0.

    Args:
        model: the translator.
        tokenizers: of the two languages.
        config: of the run.
        languages: source and target language, such as "en" and "de".
        sentences: some source sentences, to verify the export with.
    """

    def __init__(
        self,
        model: Translator,
        tokenizers: Tokenizers,
        config: TranslateConfig,
        languages: tuple[str, str],
        sentences: list[str],
    ):
        self.model, self.tokenizers, self.decoding = model, tokenizers, config.decoding
        self.languages, self.sentences = languages, sentences

    def _source(self, text: tf.Tensor) -> tf.Tensor:
        """Tokens int32 (N, S) of texts, with END, padded."""
        tokens = self.tokenizers.source(text)[:, : MAX_TOKENS - 1]
        ends = tf.fill([tf.size(text), 1], END)
        return tf.concat([tokens, ends], axis=1).to_tensor(PAD)

    def _target(self, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What the decoder reads and what it should predict, int32 (N, T) each."""
        tokens = self.tokenizers.target(text)[:, : MAX_TOKENS - 1]
        ones = tf.ones([tf.size(text), 1], tf.int32)
        read = tf.concat([START * ones, tokens], axis=1).to_tensor(PAD)
        return read, tf.concat([tokens, END * ones], axis=1).to_tensor(PAD)

    def _found(self, text, beam_size, length_penalty, num_best=1):
        """Tokens (N, n, L) and scores (N, n) of the best translations."""
        source = self._source(text)
        found = self.model.translate(source, beam_size, length_penalty, num_best)
        empty = source[:, 0] == END
        tokens = tf.where(empty[:, None, None], PAD, found.tokens)
        return tokens, tf.where(empty[:, None], 0.0, found.scores)

    def translate(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.with_options(text, self.decoding.beam_size, self.decoding.length_penalty)

    def with_options(self, text, beam_size, length_penalty) -> dict[str, tf.Tensor]:
        if not isinstance(beam_size, int):
            beam_size = tf.maximum(beam_size, 1)
        tokens, scores = self._found(text, beam_size, length_penalty)
        translation = self.tokenizers.target.detokenize(tokens[:, 0])
        return {"translation": translation, "score": scores[:, 0]}

    def n_best(self, text, n) -> dict[str, tf.Tensor]:
        n = tf.maximum(n, 1)
        beam_size = tf.maximum(n, self.decoding.beam_size)
        tokens, scores = self._found(text, beam_size, self.decoding.length_penalty, n)
        flat = self.tokenizers.target.detokenize(tf.reshape(tokens, [-1, tf.shape(tokens)[2]]))
        return {"translations": tf.reshape(flat, tf.shape(scores)), "scores": scores}

    def score(self, text, target) -> dict[str, tf.Tensor]:
        read, labels = self._target(target)
        logits = self.model({"source": self._source(text), "target": read}, training=False)
        real = labels != PAD
        losses = tf.where(real, smoothed_cross_entropy(labels, logits), 0.0)
        return {
            "score": -tf.reduce_sum(losses, axis=1),
            "tokens": tf.math.count_nonzero(real, axis=1, dtype=tf.int32),
        }

    def align(self, text, target) -> dict[str, tf.Tensor]:
        source = self._source(text)
        read, labels = self._target(target)
        attention = self.model.attention(source, read)
        return {
            "source_pieces": self._pieces(self.tokenizers.source, source),
            "target_pieces": self._pieces(self.tokenizers.target, labels),
            "attention": tf.where((labels != PAD)[..., None], attention, 0.0),
        }

    def _pieces(self, tokenizer, tokens) -> tf.Tensor:
        return tf.where(tokens == PAD, "", tokenizer.piece_strings(tokens))

    def signatures(self):
        text = {"text": tf.TensorSpec([None], tf.string, name="text")}
        target = {"target": tf.TensorSpec([None], tf.string, name="target")}
        options = {
            "beam_size": tf.TensorSpec([], tf.int32, name="beam_size"),
            "length_penalty": tf.TensorSpec([], tf.float32, name="length_penalty"),
        }
        n = {"n": tf.TensorSpec([], tf.int32, name="n")}
        return {
            "serving_default": (text, self.translate),
            "with_options": (text | options, self.with_options),
            "n_best": (text | n, self.n_best),
            "score": (text | target, self.score),
            "align": (text | target, self.align),
        }

    def trackables(self):
        return [self.model, self.tokenizers.source, self.tokenizers.target]

    def examples(self):
        texts = np.array([*self.sentences, "", " one  more\tline ☃"], dtype=object)
        return {
            "serving_default": {"text": texts},
            "with_options": {
                "text": texts,
                "beam_size": np.int32(2),
                "length_penalty": np.float32(1.0),
            },
            "n_best": {"text": texts, "n": np.int32(3)},
            "score": {"text": texts, "target": texts[::-1].copy()},
            "align": {"text": texts, "target": texts[::-1].copy()},
        }

    def extra_assets(self):
        return {LANGUAGES: languages_json(*self.languages)}

    def usage(self):
        return (
            'A request is `{"inputs": {"text": ["A sentence.", "Another one."]}}`, one sentence an '
            'entry; `{"signature_name": "with_options", "inputs": {"text": ["A sentence."], '
            '"beam_size": 8, "length_penalty": 1.0}}` searches otherwise.'
        )
