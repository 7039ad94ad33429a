"""Base of the recurrent and the Transformer translator: the contract and the loss.

Training reads whole target sentences (`call`); decoding reads them token by token (`encode`,
`start`, `step`, `reorder`), with B sentences and K hypotheses of each. Both ways give the same
logits for the same tokens.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from apps.translation.config import MIN_RATIO, DecodingConfig, LossConfig, ModelConfig
from shared.common.config import from_dict, to_dict
from shared.decoding.beam_search import Decoded, beam_search, gather_hypotheses
from shared.decoding.sampling import sample
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy
from shared.text.special_tokens import END, PAD, START, UNK

State = dict[str, tf.Tensor]
# Tokens that begin and end a translation, and those that are never written.
TOKENS = {"start": START, "end": END, "never": (PAD, UNK, START)}


class Translator(keras.Model):
    """Encoder-decoder: source tokens and target tokens to logits.

    Subclasses call `make_embeddings`; the reverse of the target's gives the logits.

    Args:
        config: ModelConfig. The network.
        loss: LossConfig. The objective.
        decoding: DecodingConfig. How `predictions` searches.
        source_vocabulary, target_vocabulary: int. Sizes.
        shared_vocabulary: bool. Whether both languages share one embedding.
        length_ratio: float. The highest expected number of target tokens for a source token; see
            `limits`.

    Call arguments:
        x: {"source": int32 (B, S), ending with END, then PAD; "target": int32 (B, T), beginning
            with START, then PAD}.

    Returns:
        Logits (B, T, V): those at t predict the token after target[:, t].
    """

    def __init__(
        self,
        config: ModelConfig,
        loss: LossConfig,
        decoding: DecodingConfig,
        source_vocabulary: int,
        target_vocabulary: int,
        shared_vocabulary: bool = True,
        length_ratio: float = MIN_RATIO,
        name: str = "translator",
        **kwargs,
    ):
        # This name and those of the layers are fixed: `--init` finds weights by them.
        super().__init__(name=name, **kwargs)
        self.config = from_dict(ModelConfig, config)
        self.loss_config = from_dict(LossConfig, loss)
        self.decoding_config = from_dict(DecodingConfig, decoding)
        self.check(self.config)
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.shared_vocabulary = shared_vocabulary
        self.length_ratio = length_ratio

    @staticmethod
    def check(config: ModelConfig) -> None:
        """Raises KerasuiteError if no network of this architecture has the configuration."""
        raise NotImplementedError

    def make_embeddings(self, initializer) -> None:
        """`target_embedding`, and `source_embedding`, which is the same one if it is shared."""

        def embedding(side: str, size: int, tied: bool) -> keras.layers.ReversibleEmbedding:
            return keras.layers.ReversibleEmbedding(
                size,
                self.config.hidden_dim,
                tie_weights=tied,
                embeddings_initializer=initializer,
                name=f"{side}_embedding",
            )

        tied = self.config.tie_embeddings
        self.target_embedding = embedding("target", self.target_vocabulary, tied)
        self.source_embedding = self.target_embedding
        if not self.shared_vocabulary:
            self.source_embedding = embedding("source", self.source_vocabulary, tied=True)

    def build_embeddings(self) -> None:
        for embedding in (self.target_embedding, self.source_embedding):
            if not embedding.built:
                embedding.build()

    # === Decoding, one token at a time ===

    def encode(self, source, training=False) -> State:
        """Source tokens int32 (B, S) to the tensors that the decoder reads at every step."""
        raise NotImplementedError

    def start(self, memory: State, beam_size: int, max_steps: int) -> State:
        """The state before the first token; tensors (B, K, ...) or as `reorder` knows them."""
        raise NotImplementedError

    def step(self, tokens, index, state: State, memory: State):
        """One token further.

        Args:
            tokens: int32 (B, K), the last token of each hypothesis.
            index: int32 scalar, the number of tokens before it.
            state, memory: of `start` or the last step, and of `encode`.

        Returns:
            Logits (B, K, V) of the next token, the new state, and the attention on the source
            (B, K, S).
        """
        raise NotImplementedError

    def reorder(self, state: State, parents) -> State:
        """Lets hypothesis k of sentence b continue hypothesis parents[b, k]."""
        return gather_hypotheses(state, parents)

    def limits(self, source) -> tf.Tensor:
        """Maximum tokens of a translation of `source` (B, S), its END included: int32 (B,)."""
        lengths = tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32)
        max_lengths = tf.math.ceil(self.length_ratio * tf.cast(lengths, tf.float32))
        return tf.cast(max_lengths, tf.int32) + 10

    def translate(self, source, beam_size, length_penalty, num_best=1) -> Decoded:
        """Searches for the best translations.

        Args:
            source: int32 (B, S).
            beam_size, length_penalty, num_best: see `beam_search`.
        """
        memory = self.encode(source)
        limits = self.limits(source)
        return beam_search(
            self._next_step(memory),
            self.start(memory, beam_size, tf.reduce_max(limits)),
            self.reorder,
            beam_size=beam_size,
            limits=limits,
            length_penalty=length_penalty,
            length_rule=self.decoding_config.length_rule,
            num_best=num_best,
            **TOKENS,
        )

    def sample(self, source, seeds, temperature=1.0, top_k=0, top_p=1.0) -> Decoded:
        """Draws a translation at random.

        Args:
            source: int32 (B, S).
            seeds, temperature, top_k, top_p: see `shared.decoding.sampling.sample`.
        """
        memory, limits = self.encode(source), self.limits(source)
        return sample(
            self._next_step(memory),
            self.start(memory, 1, tf.reduce_max(limits)),
            seeds=seeds,
            vocabulary_size=self.target_vocabulary,
            limits=limits,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            **TOKENS,
        )

    def _next_step(self, memory: State) -> Callable:
        """`step` with the arguments that the searches give."""
        return lambda tokens, index, state: self.step(tokens, index, state, memory)[:2]

    def attention(self, source, target) -> tf.Tensor:
        """Attention on the source while `target` is written.

        Args:
            source: int32 (B, S).
            target: int32 (B, T), beginning with START.

        Returns:
            float32 (B, T, S). Row t is of the step that reads target[:, t].
        """
        memory = self.encode(source)
        length = tf.shape(target)[1]

        def step(index, state, weights):
            token = tf.gather(target, index, axis=1)[:, None]
            _, state, attention = self.step(token, index, state, memory)
            return index + 1, state, weights.write(index, attention[:, 0])

        weights = tf.TensorArray(tf.float32, length, element_shape=[None, None])
        first = (0, self.start(memory, 1, length), weights)
        _, _, weights = tf.while_loop(lambda index, *_: index < length, step, first)
        return tf.transpose(weights.stack(), [1, 0, 2])

    # === Training and validation, as the engine asks for them ===

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Cross-entropy per target token, padding left out (Vaswani et al., 2017, 5.4)."""
        labels = y["labels"]
        smoothing = self.loss_config.label_smoothing if training else 0.0
        losses = smoothed_cross_entropy(labels, y_pred, smoothing)
        real = tf.cast(labels != PAD, losses.dtype)
        return tf.reduce_sum(losses * real) / tf.maximum(tf.reduce_sum(real), 1.0)

    def loss_weight(self, x, y, sample_weight):
        return tf.math.count_nonzero(y["labels"] != PAD)

    def predictions(self, x, y_pred):
        """The best translation of each sentence, for BLEU while training."""
        decoding = self.decoding_config
        found = self.translate(x["source"], decoding.beam_size, decoding.length_penalty)
        return {"tokens": found.tokens[:, 0], "score": found.scores[:, 0]}

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "decoding": to_dict(self.decoding_config),
            "source_vocabulary": self.source_vocabulary,
            "target_vocabulary": self.target_vocabulary,
            "shared_vocabulary": self.shared_vocabulary,
            "length_ratio": self.length_ratio,
        }
