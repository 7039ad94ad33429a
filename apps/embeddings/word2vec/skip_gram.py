"""Skip-gram with negative sampling: each word predicts the words around it."""

import keras
import tensorflow as tf

from apps.embeddings.word2vec.block_step import (
    LOSS_STRIDE,
    BlockModel,
    MicroStep,
    flat_rows,
    sampling_gradient,
    sampling_loss,
    window_band,
)


@keras.saving.register_keras_serializable(package="kerasuite")
class SkipGram(BlockModel):
    """Skip-gram with negative sampling on blocks that share their noise words.

    Maximises, over all pairs of a centre word I and a word O of its window,

        log sigmoid(v'_O . v_I) + sum over k noise words n of log sigmoid(-v'_n . v_I)

    (equation 4 of the paper). In place of k noise words of its own, a pair has all K of its
    block, each with the weight k / K; a noise word that is O itself has none.

    See `BlockModel` for the arguments.

    Reference: [Mikolov et al., 2013, Distributed Representations of Words and Phrases and their
    Compositionality](https://arxiv.org/abs/1310.4546)
    """

    def micro_step(self, tables, block, rate):
        words, noise = block["words"], block["noise"]
        centres = words[:, self.window : -self.window]
        band = window_band(block["left"], block["right"], self.window)
        centre_vectors = tf.gather(tables["input"], centres)
        word_vectors = tf.gather(tables["output"], words)
        noise_vectors = tf.gather(tables["output"], noise)

        word_scores = tf.matmul(centre_vectors, word_vectors, transpose_b=True)
        noise_scores = tf.matmul(centre_vectors, noise_vectors, transpose_b=True)
        noise_weight = self._noise_weight(band, words, noise)

        word_steps = rate * sampling_gradient(word_scores, 1.0, band)
        noise_steps = rate * sampling_gradient(noise_scores, 0.0, noise_weight)
        centre_updates = tf.matmul(word_steps, word_vectors) + tf.matmul(noise_steps, noise_vectors)
        word_updates = tf.matmul(word_steps, centre_vectors, transpose_a=True)
        noise_updates = tf.matmul(noise_steps, centre_vectors, transpose_a=True)
        return MicroStep(
            updates={
                "input": flat_rows((centres, centre_updates)),
                "output": flat_rows((words, word_updates), (noise, noise_updates)),
            },
            loss=sampling_loss(word_scores, 1.0, band)
            + sampling_loss(noise_scores, 0.0, noise_weight),
            pairs=tf.reduce_sum(band[:, ::LOSS_STRIDE]),
        )

    def updates_per_position(self, kept, noise):
        return {
            "input": self.context_words * (1 + self.negatives) * kept,
            "output": self.context_words * (kept + self.negatives * noise),
        }

    def _noise_weight(self, band, words, noise):
        """Weight of each noise word for each position, (L, P, K).

        It is k / K for every context word that the noise word differs from.
        """
        differs = tf.cast(words[:, :, None] != noise[:, None, :], tf.float32)
        return self.negatives / noise.shape[1] * tf.matmul(band, differs)
