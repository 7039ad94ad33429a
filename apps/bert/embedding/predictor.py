"""Batch inference of an encoder: a vector for each line of text files."""

import io
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from shared.common.errors import UsageError
from shared.engine.prediction.line_predictor import LinePredictor

VECTORS = "vectors.npy"
# Name on the command line to the output of the SavedModel.
POOLING = {"mean": "embedding", "cls": "cls", "last-four": "last_four"}


class EmbeddingPredictor(LinePredictor):
    """A vector for each line of text; all of them also in `vectors.npy`.

    Args:
        pooling: "mean" over the word pieces of the last layer, "cls", its first position, or
            "last-four", the mean over the last four layers; None for the default.
        tokens: bool. Write the vectors of the word pieces of line n of `a.txt` to
            `tokens/a.txt/n.npz`, as `pieces` and `vectors`, instead of a vector for the line.
        default: pooling of the model.

    Raises:
        UsageError: if vectors of word pieces are to be pooled.
    """

    suffixes = (".txt", ".md", ".gz")

    def __init__(
        self,
        pooling: Literal["mean", "cls", "last-four"] | None = None,
        tokens: bool = False,
        default: Literal["mean", "cls"] = "mean",
    ):
        if pooling and tokens:
            raise UsageError(
                f"--pooling {pooling}: makes one vector of a line; leave it out with --tokens, "
                f"which writes those of its word pieces"
            )
        self.pooling, self.tokens = pooling or default, tokens
        self.signature = "tokens" if tokens else "serving_default"
        self.outputs = ("pieces", "vectors") if tokens else (POOLING[self.pooling],)

    def settings(self):
        return {"pooling": self.pooling, "tokens": self.tokens}

    def record(self, source, outputs):
        if self.tokens:
            return {"pieces": [piece.decode() for piece in outputs["pieces"] if piece]}
        return {"vector": [float(value) for value in outputs[POOLING[self.pooling]]]}

    def files(self, source, outputs):
        if not self.tokens:
            return {}
        real = np.array([bool(piece) for piece in outputs["pieces"]])
        pieces = np.array([piece.decode() for piece in outputs["pieces"][real]], dtype=np.str_)
        out = io.BytesIO()
        np.savez(out, pieces=pieces, vectors=outputs["vectors"][real])
        return {f"tokens/{source.name}/{source.line}.npz": out.getvalue()}

    def summary(self, rows: Iterable[dict[str, Any]]):
        vectors = [np.array(row["vector"], np.float32) for row in rows if "vector" in row]
        if not vectors:
            return {}
        out = io.BytesIO()
        np.save(out, np.stack(vectors))
        return {VECTORS: [out.getvalue()]}
