"""Base of the recurrent and the Transformer language model: the contract, the loss, writing.

Training and evaluation read whole windows (`call`); writing reads a prompt (`start`), then token
by token (`step`, `reorder`), with B texts and K hypotheses of each. Both ways give the same logits
for the same tokens.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from apps.language.config import ModelConfig
from shared.common.config import from_dict, to_dict
from shared.decoding.beam_search import Decoded, beam_search, gather_hypotheses
from shared.decoding.sampling import sample
from shared.layers.token_logits import next_logits, output_kernel
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy
from shared.text.special_tokens import END, PAD, START, UNK

State = dict[str, Any]
# Tokens that are never written.
NEVER = (PAD, UNK, START)
# Logits of an evaluation that are in memory at a time.
LOGITS = 1 << 22


class LanguageModel(keras.Model):
    """Tokens of a text to a probability of each next token.

    Args:
        config: ModelConfig. The network.
        vocabulary_size: int. Number of tokens V.
        sequence_length: int. Tokens T of a training window.

    Call arguments:
        x: {"tokens": int32 (B, T + 1)}. All but the last are read, all but the first predicted.

    Returns:
        Hidden states (B, T, D); `logits` makes (B, T, V) of them.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        sequence_length: int,
        name: str = "language_model",
        **kwargs,
    ):
        # This name and those of the layers are fixed: `--init` finds weights by them.
        super().__init__(name=name, **kwargs)
        self.config = from_dict(ModelConfig, config)
        self.vocabulary_size = vocabulary_size
        self.sequence_length = sequence_length
        self.width = self.config.hidden_dim

    def make_embedding(self, initializer) -> keras.layers.ReversibleEmbedding:
        """Embedding whose reverse, or another matrix where they are not tied, gives the logits."""
        return keras.layers.ReversibleEmbedding(
            self.vocabulary_size,
            self.width,
            tie_weights=self.config.tie_embeddings,
            embeddings_initializer=initializer,
            name="embedding",
        )

    def call(self, x, training=None):
        return self.hidden_states(x["tokens"][:, :-1], training)

    def hidden_states(self, tokens, training=None):
        """Hidden states (B, T, D) behind each of tokens int32 (B, T), from which it goes on."""
        raise NotImplementedError

    def logits(self, hidden):
        """Logits (..., V) of hidden states (..., D)."""
        return self.embedding(hidden, reverse=True)

    # === Training and evaluation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean cross-entropy of the predicted tokens, in nats."""
        return tf.reduce_mean(smoothed_cross_entropy(x["tokens"][:, 1:], self.logits(y_pred)))

    def loss_weight(self, x, y, sample_weight):
        return tf.size(x["tokens"][:, 1:])

    def predictions(self, x, hidden):
        """The log-probability of each predicted token."""
        return {"log_probabilities": self.log_probabilities(hidden, x["tokens"][:, 1:])}

    def log_probabilities(self, hidden, labels):
        """Log-probabilities of tokens, a block of logits at a time.

        Args:
            hidden: float tensor (B, T, D).
            labels: int32 tensor (B, T), the tokens that follow.

        Returns:
            float32 tensor (B, T).
        """
        shape, rows = tf.shape(labels), max(1, LOGITS // self.vocabulary_size)
        hidden, labels = tf.reshape(hidden, [-1, self.width]), tf.reshape(labels, [-1])
        count = tf.size(labels)
        blocks = (count + rows - 1) // rows

        def block(index):
            here = slice(index * rows, tf.minimum((index + 1) * rows, count))
            return -smoothed_cross_entropy(labels[here], self.logits(hidden[here]))

        found = tf.TensorArray(tf.float32, blocks, infer_shape=False, element_shape=[None])
        _, found = tf.while_loop(
            lambda index, _: index < blocks,
            lambda index, found: (index + 1, found.write(index, block(index))),
            (0, found),
            parallel_iterations=1,
        )
        return tf.reshape(found.concat(), shape)

    @staticmethod
    def evaluation_window(sequence_length: int) -> tuple[int, int]:
        """Tokens of a window that a text is evaluated in, and how many overlap the one before."""
        raise NotImplementedError

    def score(self, tokens, lengths):
        """Log-probabilities of whole texts, in windows as in the evaluation.

        Args:
            tokens: int32 (N, L + 1), beginning with `END`.
            lengths: int32 (N,). Tokens behind the first that count.

        Returns:
            float32 (N,).
        """
        length, overlap = self.evaluation_window(self.sequence_length)
        predicted = tf.shape(tokens)[1] - 1
        length = tf.minimum(length, predicted)
        overlap = tf.minimum(overlap, length - 1)

        def add(begin, total):
            last = tf.minimum(begin + length, predicted)
            window = tokens[:, begin : last + 1]
            found = self.predictions({"tokens": window}, self.call({"tokens": window}))
            places = tf.range(begin, last)
            is_new = (begin == 0) | (places >= begin + overlap)
            counted = is_new & (places < lengths[:, None])
            total += tf.reduce_sum(tf.where(counted, found["log_probabilities"], 0.0), axis=1)
            # The next one begins where its new tokens follow those of this one.
            return tf.where(last < predicted, begin + length - overlap, predicted), total

        _, total = tf.while_loop(
            lambda begin, _: begin < predicted, add, (0, tf.zeros(tf.shape(lengths)))
        )
        return total

    # === Writing, one token at a time ===

    def max_prompt(self, max_tokens) -> int | tf.Tensor:
        """Tokens before a text of `max_tokens` that are read, its beginning included."""
        raise NotImplementedError

    def start(self, prefix, lengths, beam_size, max_tokens) -> State:
        """The state after a prompt but its last token; tensors (B, K, ...), or as `reorder` knows.

        Args:
            prefix: int32 (B, P). The prompts but their last tokens, then PAD.
            lengths: int32 (B,). Tokens of each.
            beam_size: int or int32 scalar K.
            max_tokens: int or int32 scalar. Largest number of tokens that will be written.
        """
        raise NotImplementedError

    def step(self, tokens, index, state: State):
        """One token further.

        Args:
            tokens: int32 (B, K), the last token of each hypothesis.
            index: int32 scalar, how many were written before.
            state: of `start` or the last step.

        Returns:
            Hidden states (B, K, D) and the new state.
        """
        raise NotImplementedError

    def reorder(self, state: State, parents) -> State:
        """Lets hypothesis k of text b continue hypothesis parents[b, k]."""
        return gather_hypotheses(state, parents)

    def write(self, prompt, seeds, max_tokens, **draws: Any) -> Decoded:
        """Draws a text behind each prompt.

        Args:
            prompt: RaggedTensor int32 (N, None), without a beginning.
            seeds: int64 (N, 2), one of each text.
            max_tokens: int or int32 scalar.
            **draws: temperature, top_k, top_p, repetition_penalty and stops, see
                `shared.decoding.sampling.sample`.
        """
        prefix, lengths, last = self._read_part(prompt, max_tokens)
        if "repetition_penalty" in draws:
            draws["seen"] = self._seen(prefix, lengths, last)
        return sample(
            self._next_step(),
            self.start(prefix, lengths, 1, max_tokens),
            limits=tf.fill(tf.shape(last), max_tokens),
            start=last,
            end=END,
            never=NEVER,
            seeds=seeds,
            vocabulary_size=self.vocabulary_size,
            **draws,
        )

    def search(self, prompt, max_tokens, beam_size, length_penalty=0.6, num_best=1) -> Decoded:
        """Searches for the likeliest texts behind each prompt.

        Args:
            prompt, max_tokens: see `write`.
            beam_size, length_penalty, num_best: see `beam_search`.
        """
        prefix, lengths, last = self._read_part(prompt, max_tokens)
        return beam_search(
            self._next_step(),
            self.start(prefix, lengths, beam_size, max_tokens),
            self.reorder,
            beam_size=beam_size,
            limits=tf.fill(tf.shape(last), max_tokens),
            start=last,
            end=END,
            never=NEVER,
            length_penalty=length_penalty,
            num_best=num_best,
            must_end=False,
        )

    def _next_step(self) -> Callable:
        """`step` to logits, as the searches ask for it."""
        kernel = output_kernel(self.embedding, self.compute_dtype)

        def step(tokens, index, before):
            hidden, after = self.step(tokens, index, before)
            # A loop wants the shapes that it began with.
            after = tf.nest.map_structure(lambda a, b: tf.ensure_shape(a, b.shape), after, before)
            return next_logits(hidden, kernel), after

        return step

    def _read_part(self, prompt, max_tokens):
        """The end of each prompt that is read, its last token apart.

        Returns:
            int32 (N, P) with padding, the lengths int32 (N,), and the last tokens int32 (N,).
        """
        begin = tf.fill([prompt.nrows(out_type=tf.int32), 1], END)
        whole = tf.concat([begin, prompt], axis=1)
        sizes = tf.cast(whole.row_lengths(), tf.int32)
        kept = tf.minimum(sizes, self.max_prompt(max_tokens))
        # There is always something to read; two columns, as Keras warns of a softmax over one.
        columns = tf.range(tf.maximum(tf.reduce_max(kept), 2))
        places = tf.minimum((sizes - kept)[:, None] + columns, sizes[:, None] - 1)
        tokens = tf.gather(whole.to_tensor(PAD), places, batch_dims=1)
        lengths = kept - 1
        last = tf.gather(tokens, lengths, batch_dims=1)
        return tf.where(columns < lengths[:, None], tokens, PAD), lengths, last

    def _seen(self, prefix, lengths, last):
        """Bool (N, V): which tokens stand in the prompts."""
        tokens = tf.concat([prefix, last[:, None]], axis=1)
        counts = tf.math.bincount(tokens, minlength=self.vocabulary_size,
                                  maxlength=self.vocabulary_size, axis=-1)  # fmt: skip
        is_text = tf.range(self.vocabulary_size) > END
        return tf.ensure_shape((counts > 0) & is_text, [None, self.vocabulary_size])

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "vocabulary_size": self.vocabulary_size,
            "sequence_length": self.sequence_length,
        }
