"""CBOW with negative sampling: the words of a window predict the word in its middle."""

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
class Cbow(BlockModel):
    """Continuous bag of words with negative sampling on blocks that share their noise words.

    Maximises, over all positions with a centre word O,

        log sigmoid(v'_O . h) + sum over k noise words n of log sigmoid(-v'_n . h)

    with h the mean of the input vectors v of the window. As in the word2vec program, each word of
    the window is moved by the whole gradient of h, not by its share of the mean. In place of k
    noise words of its own, a position has all K of its block, each with the weight k / K; a noise
    word that is O itself has none.

    See `BlockModel` for the arguments.

    Reference: [Mikolov et al., 2013, Efficient Estimation of Word Representations in Vector
    Space](https://arxiv.org/abs/1301.3781)
    """

    def micro_step(self, tables, block, rate):
        words, noise = block["words"], block["noise"]
        centres = words[:, self.window : -self.window]
        band = window_band(block["left"], block["right"], self.window)
        words_band = window_band(block["left"], block["right"], self.window, transposed=True)
        means, has_context = window_means(tables["input"], words, band)
        centre_vectors = tf.gather(tables["output"], centres)
        noise_vectors = tf.gather(tables["output"], noise)

        differs = tf.cast(centres[:, :, None] != noise[:, None, :], tf.float32)
        noise_weight = self.negatives / noise.shape[1] * has_context[:, :, None] * differs
        centre_scores = tf.reduce_sum(means * centre_vectors, axis=-1)
        noise_scores = tf.matmul(means, noise_vectors, transpose_b=True)

        centre_steps = rate * sampling_gradient(centre_scores, 1.0, has_context)[:, :, None]
        noise_steps = rate * sampling_gradient(noise_scores, 0.0, noise_weight)
        mean_updates = centre_steps * centre_vectors + tf.matmul(noise_steps, noise_vectors)
        return MicroStep(
            updates={
                "input": flat_rows((words, tf.matmul(words_band, mean_updates))),
                "output": flat_rows(
                    (centres, centre_steps * means),
                    (noise, tf.matmul(noise_steps, means, transpose_a=True)),
                ),
            },
            loss=sampling_loss(centre_scores, 1.0, has_context)
            + sampling_loss(noise_scores, 0.0, noise_weight),
            pairs=tf.reduce_sum(has_context[:, ::LOSS_STRIDE]),
        )

    def updates_per_position(self, kept, noise):
        return {
            "input": self.context_words * (1 + self.negatives) * kept,
            "output": kept + self.negatives * noise,
        }


def window_means(table: tf.Tensor, words: tf.Tensor, band: tf.Tensor):
    """Mean vector of the window of each position.

    Args:
        table: float32 (V, D). Input vectors.
        words: int32 (L, C). Words of each block.
        band: float32 (L, P, C). 1 where a word is context of a position.

    Returns:
        (float32 (L, P, D), zero without context; float32 (L, P), 1 where there is context).
    """
    counts = tf.reduce_sum(band, axis=-1)
    means = tf.matmul(band / tf.maximum(counts, 1.0)[:, :, None], tf.gather(table, words))
    return means, tf.minimum(counts, 1.0)
