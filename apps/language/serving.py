"""The SavedModel of a language model: prompts in, texts out, the writing included."""

import numpy as np
import tensorflow as tf

from apps.language.config import MAX_BEAM, MAX_TOKENS, LanguageConfig
from apps.language.language_model import LanguageModel
from apps.language.stop_strings import cut_behind, ends_with_stop
from apps.language.tokenizers.tokenizer import Tokenizer
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.special_tokens import END, PAD, UNK

SCALARS = {
    "max_tokens": tf.int32,
    "temperature": tf.float32,
    "top_k": tf.int32,
    "top_p": tf.float32,
    "repetition_penalty": tf.float32,
    "beam_size": tf.int32,
    "length_penalty": tf.float32,
    "n": tf.int32,
}


class LanguageServing(ServingModule):
    """Prompts to texts. `text` is what follows the prompt: both together are the whole text.

    All take any number of rows, none included. An empty prompt begins a new document. Of a prompt
    longer than the model reads, its end is read.

    Signatures:
        serving_default: `prompt` string [N] and `seed` int64 [N] to `text` string [N] and `score`
            f32 [N], the log-probability of the text, drawn as the run was configured. The draws
            depend on seed and prompt alone: the same prompt has the same text anywhere in any
            batch, and another with another seed.
        with_options: the same, with `max_tokens` int32, `temperature` f32 (0 takes the likeliest
            token), `top_k` int32 (0 is all) and `top_p` f32, all scalars.
        write: the same, with `repetition_penalty` f32 scalar too (1 is none, see
            `shared.decoding.sampling`), and `stop` string [M]: the text ends before the first of
            these.
        search: `prompt`, `beam_size`, `n`, `length_penalty`, `max_tokens` (scalars) and `stop`
            to `texts` string [N, n] and `scores` f32 [N, n]: the likeliest texts that a beam
            finds, best first; log-probabilities over the length penalty.
        score: `text` string [N] to `log_probability` f32 [N], of a document that begins with it,
            and `tokens` int32 [N], their number.
        count_tokens: `prompt` and `max_tokens` to `tokens` int32 [N], of the whole prompt; `read`
            int32 [N], how many of them are read if `max_tokens` are to be written; and `unknown`
            int32 [N], how many are not in the vocabulary.

    Args:
        model: the language model.
        tokenizer: of its tokens.
        config: of the run.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, config: LanguageConfig):
        self.model, self.tokenizer, self.writing = model, tokenizer, config.writing

    # === Writing ===

    def default(self, prompt, seed) -> dict[str, tf.Tensor]:
        own = self.writing
        return self._written(prompt, seed, own.max_tokens, {
            "temperature": own.temperature, "top_k": own.top_k, "top_p": own.top_p,
        })  # fmt: skip

    def with_options(self, prompt, seed, max_tokens, temperature, top_k, top_p):
        draws = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        return self._written(prompt, seed, _tokens(max_tokens), draws)

    def write(
        self, prompt, seed, max_tokens, temperature, top_k, top_p, repetition_penalty, stop
    ) -> dict[str, tf.Tensor]:
        draws = {
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "repetition_penalty": repetition_penalty,
            "stops": lambda tokens, index: ends_with_stop(tokens, index, stop, self.tokenizer),
        }
        found = self._written(prompt, seed, _tokens(max_tokens), draws)
        return found | {"text": cut_behind(found["text"], stop)}

    def _written(self, prompt, seed, max_tokens, draws) -> dict[str, tf.Tensor]:
        tokens = self.tokenizer(prompt)
        # FarmHash, which is the same everywhere and will stay so.
        hashes = tf.strings.to_hash_bucket_fast(prompt, 2**62)
        seeds = tf.stack([tf.cast(seed, tf.int64), hashes], axis=1)
        found = self.model.write(tokens, seeds, max_tokens, **draws)
        text = self._behind(tokens, found.tokens)[:, 0]
        return {"text": text, "score": found.scores[:, 0]}

    def search(self, prompt, beam_size, n, length_penalty, max_tokens, stop):
        n = tf.clip_by_value(n, 1, MAX_BEAM)
        beam_size = tf.clip_by_value(beam_size, n, MAX_BEAM)
        tokens = self.tokenizer(prompt)
        found = self.model.search(tokens, _tokens(max_tokens), beam_size, length_penalty, n)
        return {"texts": cut_behind(self._behind(tokens, found.tokens), stop),
                "scores": found.scores}  # fmt: skip

    def _behind(self, prompt: tf.RaggedTensor, written: tf.Tensor) -> tf.Tensor:
        """The text that written tokens (N, K, L) add to that of their prompts: string (N, K).

        A piece may be spelled otherwise at the beginning of a text than within it.
        """
        count, length = tf.shape(written)[1], tf.shape(written)[2]
        before = tf.repeat(prompt.to_tensor(PAD), count, axis=0)
        beginning = self.tokenizer.detokenize(before)
        whole = tf.concat([before, tf.reshape(written, [-1, length])], axis=1)
        text = self.tokenizer.detokenize(whole)
        sizes = tf.strings.length(text)
        begin = tf.minimum(tf.strings.length(beginning), sizes)
        return tf.reshape(tf.strings.substr(text, begin, sizes), [-1, count])

    # === Texts that are there ===

    def score(self, text) -> dict[str, tf.Tensor]:
        tokens = self.tokenizer(text)
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        begin = tf.fill([tf.size(text), 1], END)
        rows = tf.concat([begin, tokens], axis=1).to_tensor(PAD)
        return {"log_probability": self.model.score(rows, lengths), "tokens": lengths}

    def count_tokens(self, prompt, max_tokens) -> dict[str, tf.Tensor]:
        tokens = self.tokenizer(prompt)
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        unknown = tf.reduce_sum(tf.cast(tokens == UNK, tf.int32), axis=1)
        # The beginning of the document is one of them.
        read = tf.minimum(lengths + 1, self.model.max_prompt(_tokens(max_tokens)))
        return {"tokens": lengths, "read": tf.minimum(read, lengths), "unknown": unknown}

    def signatures(self):
        rows = {
            "prompt": tf.TensorSpec([None], tf.string, name="prompt"),
            "seed": tf.TensorSpec([None], tf.int64, name="seed"),
            "text": tf.TensorSpec([None], tf.string, name="text"),
            "stop": tf.TensorSpec([None], tf.string, name="stop"),
        }
        specs = rows | {name: tf.TensorSpec([], dtype, name) for name, dtype in SCALARS.items()}

        def of(*names: str) -> dict[str, tf.TensorSpec]:
            return {name: specs[name] for name in names}

        options = ("prompt", "seed", "max_tokens", "temperature", "top_k", "top_p")
        search = ("prompt", "beam_size", "n", "length_penalty", "max_tokens", "stop")
        return with_empty_batches({
            "serving_default": (of("prompt", "seed"), self.default),
            "with_options": (of(*options), self.with_options),
            "write": (of(*options, "repetition_penalty", "stop"), self.write),
            "search": (of(*search), self.search),
            "score": (of("text"), self.score),
            "count_tokens": (of("prompt", "max_tokens"), self.count_tokens),
        })  # fmt: skip

    def trackables(self):
        return [self.model, self.tokenizer]

    def examples(self):
        prompts = np.array(["", "the", "The end.\nA ☃"], dtype=object)
        seeds = np.arange(len(prompts))
        # The likeliest tokens: a draw from several may fall otherwise by a rounding.
        greedy = {
            "prompt": prompts,
            "seed": seeds,
            "max_tokens": np.int32(20),
            "temperature": np.float32(0.8),
            "top_k": np.int32(1),
            "top_p": np.float32(1.0),
        }
        stop = np.array(["\n\n", "e"], dtype=object)
        search = {"beam_size": 3, "n": 2, "length_penalty": 0.6, "max_tokens": 10, "stop": stop}
        return {
            "serving_default": {"prompt": prompts, "seed": seeds},
            "with_options": greedy,
            "write": {**greedy, "repetition_penalty": np.float32(1.2), "stop": stop},
            "search": {"prompt": prompts, **search},
            "score": {"text": prompts},
            "count_tokens": {"prompt": prompts, "max_tokens": np.int32(10)},
        }

    def extra_assets(self):
        return self.tokenizer.assets()

    def usage(self):
        return (
            'A request is `{"inputs": {"prompt": ["Once upon a time"], "seed": [1]}}`; '
            '`{"signature_name": "with_options", "inputs": {"prompt": ["Once upon a time"], '
            '"seed": [1], "max_tokens": 100, "temperature": 0.8, "top_k": 40, "top_p": 1.0}}` '
            'writes otherwise, and `{"signature_name": "score", "inputs": {"text": ["A text."]}}` '
            "says how probable a text is."
        )


def _tokens(count: tf.Tensor) -> tf.Tensor:
    """The nearest possible number of tokens to write."""
    return tf.clip_by_value(count, 1, MAX_TOKENS)
