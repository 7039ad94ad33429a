"""The SavedModel of a translator: sentences in, sentences out, the search included."""

import numpy as np
import tensorflow as tf

from apps.translation.config import MAX_BEAM, MAX_TOKENS, TranslateConfig
from apps.translation.data import Tokenizers
from apps.translation.languages import LANGUAGES, Languages
from apps.translation.translator import Translator
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy
from shared.text.special_tokens import END, PAD, START


class TranslatorServing(ServingModule):
    """Texts to translations; an empty text gives an empty one, with the score 0.

    All take any number of texts, none included, and read the first 512 tokens of each.

    Signatures:
        serving_default: `text` string [N] to `translation` string [N], `score` f32 [N], the
            log-probability over the length penalty, with the search of the run's configuration.
        with_options: the same, with `beam_size` int32 scalar, which is taken as one of 1 to 256,
            and `length_penalty` f32 scalar.
        n_best: the inputs of `with_options` and `n` int32 scalar to `translations` string [N, n]
            and `scores` f32 [N, n], best first; n is at most 256, and the beam at least n.
        sample: `text`, `temperature` f32, `top_k` int32, `top_p` f32 and `seed` int32 scalars to
            `translation`, drawn at random (see `shared.decoding.sampling`), and `score`, its
            log-probability. The draws depend on seed and text alone: the same text has the same
            translation anywhere in any batch, and another with another seed.
        score: `text` and `target` string [N] to `score` f32 [N], the log-probability of the
            target, and `tokens` int32 [N], their number, the end included.
        count_tokens: `text` and `target` to `source_tokens` and `target_tokens` int32 [N], ends
            included, of the whole texts, however long.
        align: `text` and `target` to `source_pieces` string [N, S], `target_pieces` string [N, T]
            and `attention` f32 [N, T, S]; shorter rows are filled with "" and 0.

    Args:
        model: the translator.
        tokenizers: of the two languages.
        config: of the run.
        languages: of the two sides.
        sentences: some source sentences, to verify the export with.
    """

    def __init__(
        self,
        model: Translator,
        tokenizers: Tokenizers,
        config: TranslateConfig,
        languages: Languages,
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
        """Input tokens of the decoder and the labels to predict, int32 (N, T) each."""
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
            beam_size = _beam(beam_size)
        tokens, scores = self._found(text, beam_size, length_penalty)
        translation = self.tokenizers.target.detokenize(tokens[:, 0])
        return {"translation": translation, "score": scores[:, 0]}

    def n_best(self, text, n, beam_size, length_penalty) -> dict[str, tf.Tensor]:
        n = _beam(n)
        tokens, scores = self._found(text, tf.maximum(n, _beam(beam_size)), length_penalty, n)
        flat = self.tokenizers.target.detokenize(tf.reshape(tokens, [-1, tf.shape(tokens)[2]]))
        return {"translations": tf.reshape(flat, tf.shape(scores)), "scores": scores}

    def sample(self, text, temperature, top_k, top_p, seed) -> dict[str, tf.Tensor]:
        source = self._source(text)
        # FarmHash, which is the same everywhere and will stay so.
        hashes = tf.strings.to_hash_bucket_fast(text, 2**62)
        seeds = tf.stack([tf.fill(tf.shape(hashes), tf.cast(seed, tf.int64)), hashes], axis=1)
        found = self.model.sample(source, seeds, temperature, top_k, top_p)
        empty = source[:, 0] == END
        tokens = tf.where(empty[:, None], PAD, found.tokens[:, 0])
        return {
            "translation": self.tokenizers.target.detokenize(tokens),
            "score": tf.where(empty, 0.0, found.scores[:, 0]),
        }

    def score(self, text, target) -> dict[str, tf.Tensor]:
        read, labels = self._target(target)
        logits = self.model({"source": self._source(text), "target": read}, training=False)
        real = labels != PAD
        losses = tf.where(real, smoothed_cross_entropy(labels, logits), 0.0)
        return {
            "score": -tf.reduce_sum(losses, axis=1),
            "tokens": tf.math.count_nonzero(real, axis=1, dtype=tf.int32),
        }

    def count_tokens(self, text, target) -> dict[str, tf.Tensor]:
        source, target = self.tokenizers.source(text), self.tokenizers.target(target)
        return {
            "source_tokens": tf.cast(source.row_lengths(), tf.int32) + 1,
            "target_tokens": tf.cast(target.row_lengths(), tf.int32) + 1,
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
        draws = {
            "temperature": tf.TensorSpec([], tf.float32, name="temperature"),
            "top_k": tf.TensorSpec([], tf.int32, name="top_k"),
            "top_p": tf.TensorSpec([], tf.float32, name="top_p"),
            "seed": tf.TensorSpec([], tf.int32, name="seed"),
        }
        signatures = {
            "serving_default": (text, self.translate),
            "with_options": (text | options, self.with_options),
            "n_best": (text | n | options, self.n_best),
            "sample": (text | draws, self.sample),
            "score": (text | target, self.score),
            "count_tokens": (text | target, self.count_tokens),
            "align": (text | target, self.align),
        }
        return with_empty_batches(signatures)

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
            "n_best": {
                "text": texts,
                "n": np.int32(3),
                "beam_size": np.int32(4),
                "length_penalty": np.float32(0.6),
            },
            # The likeliest tokens: a draw from several may fall otherwise by a rounding.
            "sample": {
                "text": texts,
                "temperature": np.float32(0.8),
                "top_k": np.int32(1),
                "top_p": np.float32(1.0),
                "seed": np.int32(1),
            },
            "score": {"text": texts, "target": texts[::-1].copy()},
            "count_tokens": {"text": texts, "target": texts[::-1].copy()},
            "align": {"text": texts, "target": texts[::-1].copy()},
        }

    def extra_assets(self):
        return {LANGUAGES: self.languages.as_json()}

    def usage(self):
        return (
            'A request is `{"inputs": {"text": ["A sentence.", "Another one."]}}`, one sentence an '
            'entry; `{"signature_name": "with_options", "inputs": {"text": ["A sentence."], '
            '"beam_size": 8, "length_penalty": 1.0}}` searches otherwise (`n_best` takes `n` as '
            "well), and "
            '`{"signature_name": "sample", "inputs": {"text": ["A sentence."], "temperature": 0.8, '
            '"top_k": 0, "top_p": 0.95, "seed": 1}}` draws a translation at random.'
        )


def _beam(size: tf.Tensor) -> tf.Tensor:
    """The nearest possible size of a beam."""
    return tf.clip_by_value(size, 1, MAX_BEAM)
