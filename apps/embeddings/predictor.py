"""Batch inference of word embeddings: text files to document vectors."""

import io
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np

from shared.common.errors import KerasuiteError
from shared.engine.prediction.predictor import Predictor

VECTORS = "vectors.npy"
Weighting = Literal["mean", "sif"]


class DocumentPredictor(Predictor):
    """One vector for each text file; all of them in `vectors.npy` as well.

    Args:
        text_words: function of name and content of a file to its words, see `data.text_words`.
        weighting: "mean" of the word vectors, or "sif": words weighted by a / (a + p), and what the
            training documents have in common subtracted (Arora et al., 2017).
    """

    suffixes = (".txt", ".md", ".gz")
    inputs = ("text",)
    outputs = ("vector", "known")

    def __init__(
        self, text_words: Callable[[str, bytes], list[str]], weighting: Weighting = "mean"
    ):
        self.text_words, self.weighting = text_words, weighting
        self.signature = {"mean": "document", "sif": "sif_document"}[weighting]

    def settings(self):
        return {"weighting": self.weighting}

    def read(self, source):
        words = self.text_words(source.name, source.read_bytes())
        if not words:
            raise KerasuiteError("holds no words")
        return {"text": " ".join(words)}

    def size(self, example):
        return len(example["text"])

    def record(self, source, outputs):
        if not outputs["known"]:
            raise KerasuiteError("holds no word that the model knows")
        return {
            "known_words": int(outputs["known"]),
            "vector": [float(value) for value in outputs["vector"]],
        }

    def summary(self, rows: Iterable[dict[str, Any]]):
        vectors = [np.array(row["vector"], np.float32) for row in rows if "vector" in row]
        if not vectors:
            return {}
        out = io.BytesIO()
        np.save(out, np.stack(vectors))
        return {VECTORS: [out.getvalue()]}
