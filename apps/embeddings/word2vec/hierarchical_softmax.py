"""Skip-gram and CBOW with hierarchical softmax: a word is a path of binary decisions.

The output table has a row v'_n for every inner node n of a Huffman tree instead of every word. The
probability of a word is the product of the decisions on its path from the root,

    p(word | v) = product over its nodes n of sigmoid(sign_n * v'_n . v)

(equation 3 of the paper, whose [[...]] is the sign). There is no noise, and the probabilities of
all words sum to 1.

The root decides about every word, so its updates add up faster than those of any word; see
`BlockModel.prepare_training`. Blocks should be small here, because the paths of a block's
positions meet all its words.

Reference: [Morin and Bengio, 2005, Hierarchical Probabilistic Neural Network Language Model]
(https://proceedings.mlr.press/r5/morin05a.html); [Mikolov et al., 2013]
(https://arxiv.org/abs/1310.4546) for the Huffman tree.
"""

import keras
import numpy as np
import tensorflow as tf

from apps.embeddings.word2vec.block_step import BlockModel, MicroStep, flat_rows, window_band
from apps.embeddings.word2vec.cbow import window_means
from apps.embeddings.word2vec.huffman import HuffmanPaths


class HierarchicalModel(BlockModel):
    """Base class of both algorithms, with the paths of the words.

    Args:
        vocabulary_size: int. Number of words V.
        dim: see `BlockModel`.
        window: see `BlockModel`.
        code_length: int. Length H of the longest Huffman code.
    """

    def __init__(self, vocabulary_size, dim=100, window=5, code_length=1, **kwargs):
        self.code_length = code_length
        kwargs = {**kwargs, "negatives": 0, "output_size": max(vocabulary_size - 1, 1)}
        super().__init__(vocabulary_size, dim, window, **kwargs)

    def build(self, input_shape=None):
        if self.built:
            return
        shape = (self.vocabulary_size, self.code_length)
        super().build(input_shape)
        self.path_nodes = self.add_weight(
            name="path_nodes", shape=shape, dtype="int32", initializer="zeros", trainable=False
        )
        self.path_signs = self.add_weight(
            name="path_signs", shape=shape, initializer="zeros", trainable=False
        )

    def set_paths(self, paths: HuffmanPaths) -> None:
        """Sets the tree, once before training."""
        self.path_nodes.assign(paths.nodes)
        self.path_signs.assign(paths.signs)

    def paths_of(self, words):
        """Nodes int32 (..., H) and signs float32 (..., H) of words."""
        nodes = tf.gather(tf.convert_to_tensor(self.path_nodes), words)
        return nodes, tf.gather(tf.convert_to_tensor(self.path_signs), words)

    @property
    def paths(self) -> HuffmanPaths:
        return HuffmanPaths(np.asarray(self.path_nodes), np.asarray(self.path_signs))

    def node_shares(self, kept):
        """Share of the positions whose path leads through each inner node, (V - 1,)."""
        shares = np.zeros(self.output_size)
        nodes, signs = self.paths
        np.add.at(shares, nodes, np.abs(signs) * kept[:, None])
        return shares

    def get_config(self):
        return {**super().get_config(), "code_length": self.code_length}


@keras.saving.register_keras_serializable(package="kerasuite")
class HierarchicalSkipGram(HierarchicalModel):
    """Skip-gram with hierarchical softmax: each context word predicts the path of the centre word.

    See `HierarchicalModel` for the arguments.
    """

    def micro_step(self, tables, block, rate):
        words = block["words"]
        nodes, signs = self.paths_of(words[:, self.window : -self.window])
        band = window_band(block["left"], block["right"], self.window)
        lanes, positions, length = nodes.shape
        # All paths of a block in one row: (L, P H).
        nodes = tf.reshape(nodes, [-1, positions * length])
        word_vectors = tf.gather(tables["input"], words)
        node_vectors = tf.gather(tables["output"], nodes)

        scores = tf.matmul(node_vectors, word_vectors, transpose_b=True)
        signs = tf.reshape(signs, [-1, positions * length, 1])
        gradient, loss = decision_gradient(scores, signs, tf.repeat(band, length, axis=1))
        gradient = rate * gradient
        return MicroStep(
            updates={
                "input": flat_rows((words, tf.matmul(gradient, node_vectors, transpose_a=True))),
                "output": flat_rows((nodes, tf.matmul(gradient, word_vectors))),
            },
            loss=loss,
            pairs=tf.reduce_sum(band),
        )

    def updates_per_position(self, kept, noise):
        decisions = np.sum(kept * self.paths.lengths)
        return {
            "input": self.context_words * decisions * kept,
            "output": self.context_words * self.node_shares(kept),
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class HierarchicalCbow(HierarchicalModel):
    """CBOW with hierarchical softmax: the mean of the window predicts the path of the centre word.

    See `HierarchicalModel` for the arguments.
    """

    def micro_step(self, tables, block, rate):
        words = block["words"]
        nodes, signs = self.paths_of(words[:, self.window : -self.window])
        band = window_band(block["left"], block["right"], self.window)
        words_band = window_band(block["left"], block["right"], self.window, transposed=True)
        means, has_context = window_means(tables["input"], words, band)
        node_vectors = tf.gather(tables["output"], nodes)

        scores = tf.reduce_sum(node_vectors * means[:, :, None], axis=-1)
        gradient, loss = decision_gradient(scores, signs, has_context[:, :, None])
        gradient = rate * gradient[..., None]
        mean_updates = tf.reduce_sum(gradient * node_vectors, axis=2)
        node_updates = gradient * means[:, :, None]
        length = nodes.shape[1] * nodes.shape[2]
        return MicroStep(
            updates={
                "input": flat_rows((words, tf.matmul(words_band, mean_updates))),
                "output": flat_rows(
                    (
                        tf.reshape(nodes, [-1, length]),
                        tf.reshape(node_updates, [-1, length, self.dim]),
                    )
                ),
            },
            loss=loss,
            pairs=tf.reduce_sum(has_context),
        )

    def updates_per_position(self, kept, noise):
        decisions = np.sum(kept * self.paths.lengths)
        return {
            "input": self.context_words * decisions * kept,
            "output": self.node_shares(kept),
        }


def decision_gradient(scores: tf.Tensor, signs: tf.Tensor, weight: tf.Tensor):
    """The gradient of the log-probability of paths by their scores, and the loss.

    Args:
        scores: float (...). Inner products v'_n . v with the nodes.
        signs: float (...). +1 or -1 for the branch to take, 0 where there is no node.
        weight: float (...). Factor of each decision in the objective.

    Returns:
        (float (...), the gradient; float scalar, the loss: minus the log-probability).
    """
    weight = weight * tf.abs(signs)
    gradient = weight * signs * tf.sigmoid(-signs * scores)
    return gradient, tf.reduce_sum(weight * tf.math.softplus(-signs * scores))
