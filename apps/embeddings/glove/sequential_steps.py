"""Shortens the simultaneous steps of a tile to what they would do one after the other.

The C program visits one co-occurrence after the other, and each sees the vectors that the one
before has left. All co-occurrences of a tile see the same vectors instead: a hundred frequent
words, all of which find a vector too short, lengthen it a hundred times, and the sum of their
steps overshoots.

Derivation. A co-occurrence changes its row v = [w, b] along its partner p = [w~, 1], by

    v <- v - R f e p,      e = p . v + b~ - log x,      R = diag(rate / sqrt(accumulators)),

and thereby the error of the row's next one, whose partner is q, from e' to

    e' - f (q . R p) e.

If all n partners of a row were equal, each step would leave the share 1 - h of the error, with
h = f (p . R p). So n steps go (1 - (1 - h)^n) / h times as far as the first one, and n steps at
once n times as far, which diverges if n h > 2: their sum is to be multiplied by

    (1 - (1 - h)^n) / (n h)                                        (`sequential_share`).

If all partners were orthogonal, no step would change another one's error, and the sum would be
right as it is. Real partners lie between. They have much in common, so that along their mean m
(of length 1, weighted by f) they repeat each other, and across it hardly. The sum of the gradients,
to which R has not been applied yet, is therefore split into both parts, and each is shortened by
its own curvature: sums over the co-occurrences of the row, with R taken as its mean r,

    n h along  = r sum f (p . m)^2
    n h across = r sum f (|p|^2 - (p . m)^2) / 2.

The half is found by trial: partners that differ do not all repeat what the ones before have done.

Measurement. 100 numbers a word, 3 iterations over the 30 million co-occurrences of the corpus of
`python -m tests.bench glove-iteration`; loss, then WordSim-353 / SimLex-999 / analogies:

    sum of the steps as it is           diverges within the first iteration
    one curvature, r sum f |p|^2        .0542    .325 / .080 / .029
    two curvatures, across not halved   .0506    .369 / .106 / .051
    two curvatures, across halved       .0499    .379 / .112 / .058
"""

import tensorflow as tf

from apps.embeddings.glove.tile_errors import TileErrors

# Bounds of the share of an error that one step removes: 0 would divide by zero, and from 1 on a
# single step overshoots.
MIN_SHARE, MAX_SHARE = 1e-6, 1 - 1e-6


def as_if_sequential(
    gradients: tf.Tensor, rates: tf.Tensor, partners: tf.Tensor, weighted_errors: TileErrors
) -> tf.Tensor:
    """Shortens the gradients of the rows of a tile.

    Args:
        gradients: float32 (R, D + 1). Sums over each row's co-occurrences.
        rates: float32 (R, D + 1). Learning rates, AdaGrad's divisor included.
        partners: float32 (C, D + 1). Vectors p along which the columns move the rows.
        weighted_errors: of the co-occurrences.

    Returns:
        float32 (R, D + 1).
    """
    mass = weighted_errors.column_sums.weights
    mean = tf.math.l2_normalize(tf.linalg.matvec(partners, mass, transpose_a=True))
    along = tf.square(tf.linalg.matvec(partners, mean))
    across = tf.nn.relu(tf.reduce_sum(tf.square(partners), 1) - along)

    tile = weighted_errors.tile
    curvatures = tf.gather(tf.stack([along, across / 2], 1), tile.columns)
    curvatures = tile.row_sums(weighted_errors.weights[:, None] * curvatures)
    curvatures = tf.reduce_mean(rates, 1, keepdims=True) * curvatures
    shares = sequential_share(curvatures, count=weighted_errors.row_sums.count[:, None])
    share_along, share_across = shares[:, :1], shares[:, 1:]

    lengths_along = tf.linalg.matvec(gradients, mean)[:, None]
    return share_across * gradients + (share_along - share_across) * lengths_along * mean


def sequential_share(curvature: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Length of n steps one after the other, as a share of n first steps.

    Args:
        curvature: float32. n h.
        count: float32. n, 0 for rows without co-occurrences.

    Returns:
        float32, (1 - (1 - h)^n) / (n h).
    """
    count = tf.maximum(count, 1.0)
    share = tf.clip_by_value(curvature / count, MIN_SHARE, MAX_SHARE)
    return -tf.math.expm1(count * tf.math.log1p(-share)) / (count * share)
