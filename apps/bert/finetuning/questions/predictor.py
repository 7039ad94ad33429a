"""Batch inference of question answering on SQuAD files."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from apps.bert.finetuning.predictor import DIGITS, FineTunedPredictor
from apps.bert.tasks.squad import read_squad
from shared.common.errors import KerasuiteError
from shared.report.page import MarkedText, Span
from shared.text.tables.formats import JSON


class QuestionPredictor(FineTunedPredictor):
    """Answers to the questions of SQuAD files, and the official `predictions.json`."""

    inputs = ("question", "context")
    suffixes = (*JSON, *(f"{ending}.gz" for ending in JSON))
    unit = "question"

    def is_structured(self, path):
        return True

    def examples(self, path):
        return read_squad(path, labelled=False)

    def split(self, source):
        if source.path is None:
            raise KerasuiteError("questions cannot be read from standard input; name a SQuAD file")
        found = self.examples(source.path)
        contents = [*found.examples, *(problem.partition(": ")[2] for problem in found.problems)]
        for number, content in enumerate(contents, 1):
            yield dataclasses.replace(source, line=number, content=content)

    def read(self, source):
        found = self.content(source)
        return {"question": found.question, "context": found.context}

    def record(self, source, outputs):
        return {
            "id": source.content.id,
            "answer": outputs["answer"].decode(),
            "start": int(outputs["start"]),
            "end": int(outputs["end"]),
            "score": round(float(outputs["score"]), DIGITS),
        }

    def marked_text(self, row, source):
        answer = Span(row["start"], row["end"], f"{row['score']:.3g}")
        found = [answer] if answer.end > answer.start else []  # An empty answer: there is none.
        return MarkedText(source.content.question, source.content.context, found)

    def summary(self, rows: Iterable[dict[str, Any]]):
        answers = {row["id"]: row["answer"] for row in rows if "answer" in row}
        text = json.dumps(answers, ensure_ascii=False, indent=1)
        return {"predictions.json": [f"{text}\n".encode()]}
