"""Batch inference of text files line by line."""

from shared.engine.prediction.predictor import Predictor
from shared.text.line_files import count_lines, read_line, split_lines


class LinePredictor(Predictor):
    """Every line of a text file, plain or .gz, is an input of its own: the model's `text`."""

    unit = "line"
    inputs = ("text",)

    def split(self, source):
        return split_lines(source)

    def count(self, source):
        return count_lines(source)

    def read(self, source):
        return {"text": read_line(source)}

    def size(self, example):
        return len(example["text"])
