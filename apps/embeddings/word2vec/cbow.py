"""CBOW with negative sampling: the words around predict the word in the middle."""

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

    For every position it climbs

        log s(h . y) + sum over the noise words n of log s(-h . y_n)

    with h the mean of the input vectors of the window and y the output vector of the position's
    word. As in word2vec, each word of the window is moved by the whole gradient of h, not by
    its share of the mean. All K noise words of the block count with the weight negatives / K,
    except the position's own word.

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
        for_centres = rate * sampling_gradient(centre_scores, 1.0, has_context)[:, :, None]
        for_noise = rate * sampling_gradient(noise_scores, 0.0, noise_weight)
        mean_updates = for_centres * centre_vectors + tf.matmul(for_noise, noise_vectors)
        return MicroStep(
            updates={
                "input": flat_rows((words, tf.matmul(words_band, mean_updates))),
                "output": flat_rows(
                    (centres, for_centres * means),
                    (noise, tf.matmul(for_noise, means, transpose_a=True)),
                ),
            },
            loss=sampling_loss(centre_scores, 1.0, has_context)
            + sampling_loss(noise_scores, 0.0, noise_weight),
            pairs=tf.reduce_sum(has_context[:, ::LOSS_STRIDE]),
        )

    def products_per_position(self, kept, noise):
        return {
            "input": self.context_words * (1 + self.negatives) * kept,
            "output": kept + self.negatives * noise,
        }


def window_means(table: tf.Tensor, words: tf.Tensor, band: tf.Tensor):
    """Mean vector of the window of each position.

    Args:
        table: float32 (V, D).
        words: int32 (L, C), the words of each block.
        band: float32 (L, P, C), 1 where a word is context of a position.

    Returns:
        (float32 (L, P, D), zero without context; float32 (L, P), 1 where there is context).
    """
    counts = tf.reduce_sum(band, axis=-1)
    means = tf.matmul(band / tf.maximum(counts, 1.0)[:, :, None], tf.gather(table, words))
    return means, tf.minimum(counts, 1.0)
