"""The weighted errors of a tile's co-occurrences, and their sums by row and by column."""

from typing import NamedTuple

import tensorflow as tf

from apps.embeddings.glove.tile import Tile, TileMatrix


class Sums(NamedTuple):
    """Sums over the co-occurrences of each row, float32 (R,).

    Attributes:
        weights: of the weights f(x).
        squared_errors: of the squares of the weighted errors.
        count: number of co-occurrences.
    """

    weights: tf.Tensor
    squared_errors: tf.Tensor
    count: tf.Tensor


class TileErrors(NamedTuple):
    """The weighted errors of a tile as one of its sides sees them.

    Attributes:
        weights: float32 (N,). Weight f(x) of each co-occurrence.
        matrix: f(x) (w . w~ + b + b~ - log x) of each co-occurrence.
        row_sums: sums over the co-occurrences of each row.
        column_sums: sums over those of each column.
    """

    weights: tf.Tensor
    matrix: TileMatrix
    row_sums: Sums
    column_sums: Sums

    @property
    def tile(self) -> Tile:
        return self.matrix.tile

    def transpose(self) -> "TileErrors":
        return TileErrors(self.weights, self.matrix.transpose(), self.column_sums, self.row_sums)


def weigh_errors(tile: Tile, weights: tf.Tensor, errors: tf.Tensor) -> TileErrors:
    """Multiplies the errors of a tile's co-occurrences by their weights and sums them.

    Args:
        tile: the co-occurrences.
        weights: float32 (N,). Weight of each.
        errors: float32 (N,). Error of each.
    """
    weighted = weights * errors
    # One pass over the co-occurrences for all three sums.
    values = tf.stack([weights, tf.square(weighted), tf.ones_like(weights)], 1)
    by_row, by_column = tile.row_sums(values), tile.transpose().row_sums(values)
    return TileErrors(
        weights,
        tile.matrix(weighted),
        Sums(*tf.unstack(by_row, axis=1)),
        Sums(*tf.unstack(by_column, axis=1)),
    )
