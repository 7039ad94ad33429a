"""Batch inference: the log-probability of each line of text files, for ranking and filtering."""

import math

from shared.engine.prediction.line_predictor import LinePredictor
from shared.text.line_files import file_pieces, is_utf8, raw_line


class ScorePredictor(LinePredictor):
    """Scores the lines of text files, each as the beginning of a document.

    The scores of `a/b.txt` are also written into `scores/a/b.txt`, one a line; an empty line has
    the score 0, and one that was rejected an empty line. Files whose names end with .gz are read
    and written compressed.
    """

    signature = "score"
    outputs = ("log_probability", "tokens")

    def read(self, source):
        return {"text": raw_line(source).encode("utf-8", "replace")}

    def record(self, source, outputs):
        score, tokens = float(outputs["log_probability"]), int(outputs["tokens"])
        record = {"log_probability": round(score, 6), "tokens": tokens}
        if tokens:
            record["perplexity"] = round(math.exp(min(-score / tokens, 100.0)), 6)
        if not is_utf8(source.content):
            record["notes"] = ["invalid UTF-8 was replaced"]
        return record

    def finish(self, source, rows):
        scores = (str(row.get("log_probability", "")) for row in rows if "line" in row)
        return {f"scores/{source.name}": file_pieces(source.name, scores)}
