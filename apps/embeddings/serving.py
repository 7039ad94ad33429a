"""SavedModel of word vectors: tokens to vectors, neighbours and document vectors."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.embeddings.vectors.word_vectors import WordVectors
from shared.engine.app import ServingModule
from shared.text.line_tables import line_by_number, number_by_line


class EmbeddingServing(ServingModule):
    """Word vectors, nearest neighbours and document vectors.

    Signatures:
        serving_default: `token` string [N] to `vector` f32 [N, D], `in_vocabulary` bool [N].
        neighbors: `token` string [N], `k` int32 scalar to `neighbors` string [N, k] and
            `similarity` f32 [N, k], exact cosines, best first, without the word itself; empty
            and 0 for an unknown word. At most V - 1 columns.
        document: `text` string [N], tokens separated by spaces, to `vector` f32 [N, D], the mean
            of the known ones (zeros without any), and `known` int32 [N], their number.
        sif_document: the same, each token weighted by a / (a + p), less the projection on what the
            training documents have in common: algorithm 1 of the paper.

    Args:
        word_vectors: the vectors.
        sif_weights: float32 (V,), see `document_vectors.sif_weights`.
        common_component: float32 (D,), see `document_vectors.common_component`.
        words_file: path of a file with one word per line; becomes an asset.
        extra: dict of file name to text. Files for `assets.extra/`: vocabulary and phrases.

    Reference: [Arora et al., 2017, A Simple but Tough-to-Beat Baseline for Sentence
    Embeddings](https://openreview.net/forum?id=SyK00v5xx) for `sif_document`.
    """

    def __init__(
        self,
        word_vectors: WordVectors,
        sif_weights: np.ndarray,
        common_component: np.ndarray,
        words_file: Path,
        extra: dict[str, str],
    ):
        self.extra = extra
        self.words = word_vectors.words
        self.vectors = tf.Variable(word_vectors.vectors, trainable=False, name="vectors")
        # A variable, so that a request does not normalise the whole table.
        lengths = np.linalg.norm(word_vectors.vectors, axis=1)
        scale = (1 / np.where(lengths == 0, 1, lengths)).astype(np.float32)
        self.inverse_lengths = tf.Variable(scale, trainable=False, name="inverse_lengths")
        self.sif_weights = tf.Variable(sif_weights, trainable=False, name="sif")
        self.common = tf.Variable(common_component, trainable=False, name="common")
        self.ids = number_by_line(words_file, default=len(self.words))
        self.names = line_by_number(words_file)

    def _known_rows(self, token: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """ids (N,), vectors (N, D) with zeros for unknown words, and whether each is known."""
        ids = self.ids.lookup(token)
        known = ids < len(self.words)
        rows = tf.gather(self.vectors, tf.minimum(ids, len(self.words) - 1))
        return ids, tf.where(known[:, None], rows, 0.0), known

    def lookup(self, token: tf.Tensor) -> dict[str, tf.Tensor]:
        _, vector, known = self._known_rows(token)
        return {"vector": vector, "in_vocabulary": known}

    def neighbors(self, token: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        ids, vector, known = self._known_rows(token)
        query = tf.math.l2_normalize(vector, axis=1)
        cosines = tf.matmul(query, self.vectors, transpose_b=True) * self.inverse_lengths
        itself = tf.one_hot(ids, len(self.words), on_value=-np.inf, off_value=0.0)
        k = tf.clip_by_value(k, 1, len(self.words) - 1)
        similarity, found = tf.math.top_k(cosines + itself, k)
        names = self.names.lookup(tf.cast(found, tf.int64))
        return {
            "neighbors": tf.where(known[:, None], names, ""),
            "similarity": tf.where(known[:, None], similarity, 0.0),
        }

    def document(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._weighted_mean(text, tf.ones(len(self.words)))

    def sif_document(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self._weighted_mean(text, self.sif_weights)
        vector = found["vector"]
        projection = tf.linalg.matvec(vector, self.common)[:, None] * self.common
        return found | {"vector": vector - projection}

    def _weighted_mean(self, text, weights):
        """Sum of weight times vector over the known tokens, divided by their number."""
        tokens = tf.strings.split(text)
        ids, vector, in_vocabulary = self._known_rows(tokens.flat_values)
        known = tf.cast(in_vocabulary, tf.float32)
        weight = tf.gather(weights, tf.minimum(ids, len(self.words) - 1))
        rows = tokens.with_flat_values(weight[:, None] * vector)
        counts = tf.reduce_sum(tokens.with_flat_values(known), axis=1)
        sums = tf.reduce_sum(rows, axis=1)
        sums = tf.ensure_shape(sums, [None, self.vectors.shape[1]])
        return {
            "vector": sums / tf.maximum(counts, 1.0)[:, None],
            "known": tf.cast(counts, tf.int32),
        }

    def signatures(self):
        token = {"token": tf.TensorSpec([None], tf.string, name="token")}
        text = {"text": tf.TensorSpec([None], tf.string, name="text")}
        k = {"k": tf.TensorSpec([], tf.int32, name="k")}
        return {
            "serving_default": (token, self.lookup),
            "neighbors": (token | k, self.neighbors),
            "document": (text, self.document),
            "sif_document": (text, self.sif_document),
        }

    def trackables(self):
        variables = [self.vectors, self.inverse_lengths, self.sif_weights, self.common]
        return [*variables, self.ids, self.names]

    def examples(self):
        some = [*self.words[:3], self.words[-1], "", "not-a-word"]
        tokens = np.array(some, dtype=object)
        texts = np.array([" ".join(some), self.words[0], ""], dtype=object)
        return {
            "serving_default": {"token": tokens},
            "neighbors": {"token": tokens, "k": np.int32(min(5, len(self.words) - 1))},
            "document": {"text": texts},
            "sif_document": {"text": texts},
        }

    def extra_assets(self):
        return self.extra

    def usage(self):
        return (
            'A request for the default signature is `{"inputs": {"token": ["king", "queen"]}}`; '
            'for neighbours it is `{"signature_name": "neighbors", "inputs": {"token": ["king"], '
            '"k": 10}}`; for documents `{"signature_name": "document", "inputs": {"text": '
            '["tokens separated by spaces"]}}`. Tokens are in the form of the training corpus '
            "(lower case, Chinese cut into words). TensorFlow Serving takes `k` as a scalar in the "
            "column form `inputs`."
        )
