"""Batch inference of sentences, pairs and choices: tables and lines of text."""

import numpy as np

from apps.bert.finetuning.predictor import DIGITS, TABLES, FineTunedPredictor
from apps.bert.tasks.examples import ChoiceExample, TextExample
from shared.common.errors import KerasuiteError
from shared.engine.multilabel.thresholds import labels_csv_row, labels_row
from shared.text.line_files import clean_line, raw_line


class TextPredictor(FineTunedPredictor):
    """Sentences, or pairs: two columns of a table, or two texts of a line separated by a tab."""

    inputs = ("text",)

    def read(self, source):
        found = self.content(source)
        if isinstance(found, TextExample):
            text, pair = found.text, found.text_pair or ""
        elif self.task["paired"]:
            # `found` has been cleaned, of its tabs as well.
            text, pair = map(clean_line, raw_line(source).partition("\t")[::2])
        else:
            text, pair = found, ""
        if not self.task["paired"]:
            return {"text": text}
        if not pair.strip():
            raise KerasuiteError("has one text; this model reads pairs, separated by a tab")
        return {"text": text, "text_pair": pair}

    def record(self, source, outputs):
        truncated = {"truncated": bool(outputs["truncated"])}
        if "score" in outputs:
            return {"score": round(float(outputs["score"]), DIGITS)} | truncated
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
        return {
            "label": outputs["label"].decode(),
            "probabilities": dict(zip(self.task["labels"], probabilities, strict=True)),
        } | truncated


class LabelsPredictor(TextPredictor):
    """Sentences or pairs, to the labels that are present and the probabilities of all."""

    def record(self, source, outputs):
        labels = labels_row(self.task["labels"], outputs)
        return labels | {"truncated": bool(outputs["truncated"])}

    def csv_row(self, row):
        return labels_csv_row(row)


class ChoicePredictor(FineTunedPredictor):
    """Tables with a context and several continuations, such as SWAG."""

    inputs = ("text", "choices")
    suffixes = (*TABLES, ".gz")
    table_endings = (*TABLES, ".txt")
    reads = "a table (.tsv, .csv, .jsonl, .parquet) with columns such as ending0, ending1"
    # Examples with equally many choices share a batch.
    bucket = 1

    def split(self, source):
        if source.path is None:
            raise KerasuiteError(f"standard input has lines of text; give {self.reads}")
        return super().split(source)

    def is_structured(self, path):
        if not super().is_structured(path):
            self.refuse(path)
        return True

    def read(self, source):
        found: ChoiceExample = self.content(source)
        choices = np.array([choice.encode("utf-8", "replace") for choice in found.choices], object)
        return {"text": found.context, "choices": choices}

    def record(self, source, outputs):
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
        return {
            "choice": int(outputs["choice"]),
            "probabilities": probabilities,
            "truncated": bool(outputs["truncated"]),
        }
