"""The recurrent encoder-decoder with attention as a translator."""

import keras
import tensorflow as tf
from keras import ops

from apps.translation.translator import Translator
from shared.common.errors import KerasuiteError
from shared.layers import AttentionDecoder, Dropout, RecurrentEncoder, StateBridge
from shared.layers.token_logits import next_logits, output_kernel
from shared.text.special_tokens import PAD


@keras.saving.register_keras_serializable(package="kerasuite")
class RecurrentTranslator(Translator):
    """A bidirectional encoder and a decoder that attends to its outputs.

    The additive attention is asked before the cells, as in Bahdanau et al.; Luong's scores after
    them. The learned bridge makes the decoder's first state of the encoder's last ones.

    With scheduled sampling a step of training reads, with a probability that rises linearly from
    0 to the given one over the training, its own best token instead of the true one.

    Args:
        total_steps: int. Steps of the training, over which scheduled sampling rises; 0: it has
            risen already.
        *args, **kwargs: those of `Translator`.

    Raises:
        KerasuiteError: see `check`.

    Reference: [Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473);
    [Luong et al., 2015](https://arxiv.org/abs/1508.04025);
    [Bengio et al., 2015](https://arxiv.org/abs/1506.03099) for scheduled sampling.
    """

    def __init__(self, *args, total_steps: int = 0, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.total_steps = total_steps
        self.width = config.hidden_dim
        self.make_embeddings("uniform")
        stack = {
            "num_layers": config.num_layers,
            "cell": config.cell,
            "residual": config.residual,
            "dropout": config.dropout,
        }
        self.encoder = RecurrentEncoder(self.width, **stack, name="encoder")
        self.bridge = StateBridge(self.width, name="bridge")
        self.decoder = AttentionDecoder(
            self.width,
            attention=config.attention,
            query_first=config.attention == "additive",
            input_feeding=config.input_feeding,
            **stack,
            name="decoder",
        )
        self.embedding_dropout = Dropout(config.dropout)
        self.output_dropout = Dropout(config.dropout)
        # A model without draws owns no random state.
        self.draws = keras.random.SeedGenerator() if config.scheduled_sampling else None

    @staticmethod
    def check(config):
        if config.hidden_dim % 2:
            raise KerasuiteError(
                f"--hidden-dim {config.hidden_dim}: give an even number; each direction of the "
                f"recurrent encoder has half of it"
            )

    def build(self, input_shape=None):
        sequence = (None, None, self.width)
        self.build_embeddings()
        self.encoder.build(sequence)
        self.bridge.build(self.encoder.compute_output_shape(sequence)[1])
        self.decoder.build(sequence, sequence)
        self.built = True

    # === Whole sentences ===

    def call(self, x, training=None):
        outputs, first, mask = self._encoded(x["source"], training)
        inputs = self._embed(self.target_embedding, x["target"], training)
        if training and self.draws is not None:
            is_own = self._draw_own(x["target"])
            vectors = self.decoder.sample_scheduled(
                inputs, outputs, first, mask, is_own, self._own_inputs, training=training
            )
        else:
            vectors = self.decoder(inputs, outputs, first, mask, training=training)
        return self._logits(self.output_dropout(vectors, training=training))

    def _encoded(self, source, training=None):
        """Encoder outputs (B, S, D), the decoder's first state (B, N, D), padding mask (B, S)."""
        mask = source != PAD
        inputs = self._embed(self.source_embedding, source, training)
        outputs, last = self.encoder(inputs, mask, training=training)
        return outputs, self.bridge(last), mask

    def _embed(self, embedding, tokens, training=None):
        return self.embedding_dropout(embedding(tokens), training=training)

    def _logits(self, vectors):
        return self.target_embedding(vectors, reverse=True)

    # === Scheduled sampling ===

    def _draw_own(self, target):
        """Bool (B, T): steps that read the decoder's own token; never the first one, START."""
        drawn = keras.random.uniform(tf.shape(target), seed=self.draws)
        return (drawn < self.sampling_probability()) & (tf.range(tf.shape(target)[1]) > 0)

    def _own_inputs(self, vectors):
        """Embeddings of the likeliest tokens after attentional vectors (B, D)."""
        return self.target_embedding(ops.argmax(self._logits(vectors), axis=-1))

    def sampling_probability(self):
        """The probability that a step of training reads its own token, now: a float scalar.

        The optimiser counts the steps: a resumed run goes on where it was, and a batch in pieces
        or on several replicas is one step.
        """
        optimizer = getattr(self, "optimizer", None)
        if not self.total_steps or optimizer is None:
            return tf.constant(self.config.scheduled_sampling, tf.float32)
        progress = tf.cast(optimizer.iterations.value, tf.float32) / self.total_steps
        return self.config.scheduled_sampling * tf.minimum(progress, 1.0)

    # === One token at a time ===

    def encode(self, source, training=False):
        outputs, first, mask = self._encoded(source, training)
        keys = self.decoder.keys(outputs)
        kernel = output_kernel(self.target_embedding, self.compute_dtype)
        return {"outputs": outputs, "keys": keys, "mask": mask, "first": first, "kernel": kernel}

    def start(self, memory, beam_size, max_steps):
        return self.decoder.start(memory["first"], beam_size)

    def step(self, tokens, index, state, memory):
        vectors, state, weights = self.decoder.step(
            self.target_embedding(tokens), state, memory["keys"], memory["outputs"], memory["mask"]
        )
        return next_logits(vectors, memory["kernel"]), state, tf.cast(weights, tf.float32)

    def get_config(self):
        return {**super().get_config(), "total_steps": self.total_steps}
