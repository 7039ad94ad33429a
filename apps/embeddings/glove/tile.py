"""The co-occurrences of a tile, and products with them as a matrix.

A tile has all co-occurrences of a block of rows with a block of columns: the inner products of all
its pairs are one matrix product, the gradients two more, and every vector is read and written once
for all co-occurrences of its row. Where a pair does not co-occur the products are computed for
nothing, which is still faster than to gather two vectors for every co-occurrence, unless there are
hardly any (`MIN_DENSITY`).
"""

from typing import NamedTuple

import tensorflow as tf

# Share of a tile's pairs that co-occur from which matrix products are faster.
MIN_DENSITY = 1 / 128


class Tile(NamedTuple):
    """Co-occurrences as one side of their tile sees them: `rows` are its own.

    Attributes:
        rows: int32 (N,). Row of each co-occurrence within the tile.
        columns: int32 (N,). Its column within the tile.
        shape: int32 (2,). Numbers of rows R and columns C.
        is_dense: bool scalar. Whether products are of whole matrices.
    """

    rows: tf.Tensor
    columns: tf.Tensor
    shape: tf.Tensor
    is_dense: tf.Tensor

    def transpose(self) -> "Tile":
        """The tile as its other side sees it."""
        return Tile(self.columns, self.rows, self.shape[::-1], self.is_dense)

    def inner_products(self, left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        """Multiplies the vectors of row and column of each co-occurrence.

        Args:
            left: float32 (R, D). Vectors of the rows.
            right: float32 (C, D). Vectors of the columns.

        Returns:
            float32 (N,).
        """
        return tf.cond(
            self.is_dense,
            lambda: tf.gather(
                tf.reshape(tf.matmul(left, right, transpose_b=True), [-1]), self._flat_indices()
            ),
            lambda: tf.reduce_sum(tf.gather(left, self.rows) * tf.gather(right, self.columns), 1),
        )

    def row_sums(self, values: tf.Tensor) -> tf.Tensor:
        """Sums values (N, ...) over the co-occurrences of each row: (R, ...)."""
        return tf.math.unsorted_segment_sum(values, self.rows, self.shape[0])

    def matrix(self, values: tf.Tensor) -> "TileMatrix":
        """The matrix (R, C) of a value for each co-occurrence, and zeros elsewhere."""
        flat = tf.cond(
            self.is_dense,
            lambda: tf.scatter_nd(
                self._flat_indices()[:, None], values, [tf.reduce_prod(self.shape)]
            ),
            lambda: tf.zeros([0]),
        )
        dense = tf.reshape(flat, tf.where(self.is_dense, self.shape, 0))
        return TileMatrix(self, values, dense, transposed=False)

    def _flat_indices(self) -> tf.Tensor:
        return self.rows * self.shape[1] + self.columns


class TileMatrix(NamedTuple):
    """A matrix whose elements are zero but for the co-occurrences of a tile.

    Attributes:
        tile: the co-occurrences.
        values: float32 (N,). Element of each.
        dense: float32 (R, C), or (C, R) if transposed. Empty where the tile is not dense.
        transposed: bool. Whether `dense` is to be read with rows and columns exchanged.
    """

    tile: Tile
    values: tf.Tensor
    dense: tf.Tensor
    transposed: bool

    def transpose(self) -> "TileMatrix":
        return TileMatrix(self.tile.transpose(), self.values, self.dense, not self.transposed)

    def matmul(self, vectors: tf.Tensor) -> tf.Tensor:
        """The product with vectors (C, D) of the columns: float32 (R, D)."""
        return tf.cond(
            self.tile.is_dense,
            lambda: tf.matmul(self.dense, vectors, transpose_a=self.transposed),
            lambda: self.tile.row_sums(
                self.values[:, None] * tf.gather(vectors, self.tile.columns)
            ),
        )


def read_tile(block: tf.Tensor, records: tf.Tensor) -> tuple[Tile, tf.Tensor]:
    """Reads a tile of `cooccurrence_stream`.

    Args:
        block: int32 (4,). First row, number of rows, first column, number of columns.
        records: int32 (N, 3). Row, column, and the bits of the count of each co-occurrence.

    Returns:
        (the tile; float32 (N,), the count of each co-occurrence).
    """
    counts = tf.bitcast(records[:, 2], tf.float32)
    first_row, num_rows, first_column, num_columns = tf.unstack(block)
    min_dense = MIN_DENSITY * tf.cast(num_rows * num_columns, tf.float32)
    is_dense = tf.cast(tf.size(counts), tf.float32) >= min_dense
    shape = tf.stack([num_rows, num_columns])
    return Tile(records[:, 0] - first_row, records[:, 1] - first_column, shape, is_dense), counts
