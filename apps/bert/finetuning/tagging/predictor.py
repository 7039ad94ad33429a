"""Batch inference of a tagger: spans in lines of text, tags of CoNLL files."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from apps.bert.finetuning.predictor import CONLL, DIGITS, LINES, FineTunedPredictor
from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import conll_lines, looks_like_conll, read_conll
from apps.bert.tasks.conll_columns import OUTSIDE
from apps.bert.tasks.examples import TaggedSentence
from shared.report.page import MarkedText, Span
from shared.text.line_files import file_pieces


class TaggingPredictor(FineTunedPredictor):
    """Spans of lines of text; CoNLL files with a column of tags."""

    inputs = ("text",)
    # Training reads the last two as CoNLL with --task-type tagging, or by their content.
    suffixes = (*LINES, ".tsv", ".tab", *CONLL, ".train", ".gz")
    table_endings = ()
    reads = "lines of text (.txt), or CoNLL columns with a word a line (.conll, .bio, .iob)"

    def is_structured(self, path):
        return looks_like_conll(path, self.task["labels"]) or super().is_structured(path)

    def examples(self, path):
        return read_conll(path, labelled=False, named=Columns(self.columns.text))

    def read(self, source):
        found = self.content(source)
        if isinstance(found, TaggedSentence):
            return {"text": " ".join(found.words)}
        return {"text": found}

    def record(self, source, outputs):
        count = int(outputs["num_spans"])
        spans = [
            {
                "label": outputs["span_label"][n].decode(),
                "start": int(outputs["span_start"][n]),
                "end": int(outputs["span_end"][n]),
                "text": outputs["span_text"][n].decode(),
                "score": round(float(outputs["span_score"][n]), DIGITS),
            }
            for n in range(count)
        ]
        found = {"spans": spans, "truncated": bool(outputs["truncated"])}
        if isinstance(source.content, TaggedSentence):
            return {"words": list(source.content.words)} | found
        return found

    def marked_text(self, row, source):
        spans = [Span(each["start"], each["end"], each["label"]) for each in row["spans"]]
        return MarkedText(f"line {row['line']}", self.read(source)["text"], spans)

    def finish(self, source, rows: Iterable[dict[str, Any]]):
        first = next((row for row in rows if "spans" in row), {})
        if not first.get("words"):
            return {}
        lines = _tagged(rows, self.task["labels"])
        return {f"tagged/{source.name}": file_pieces(source.name, lines)}


def _tagged(rows: Iterable[dict[str, Any]], labels: Collection[str]) -> Iterator[str]:
    """The lines of a CoNLL file: word and tag."""
    for row in rows:
        if "spans" in row:
            words = row["words"]
            tags = word_tags(words, row["spans"], labels)
            yield from conll_lines([(words, tags)])


def word_tags(
    words: list[str], spans: list[dict[str, Any]], labels: Collection[str] = ()
) -> list[str]:
    """Tags of words from the spans of a text, in IOB2; labels without B- and I- are kept.

    Args:
        words: the words of the text, which has single spaces between them.
        spans: spans of the text: "label", "start" and "end".
        labels: the tags of the model, some of which may be no IOB2 tags.

    >>> word_tags(["Anna", "Lee", "left"], [{"label": "PER", "start": 0, "end": 8}])
    ['B-PER', 'I-PER', 'O']
    >>> word_tags(["left"], [{"label": "VBD", "start": 0, "end": 4}], ["NNP", "VBD"])
    ['VBD']
    """
    tags, start, last = [], 0, None
    for word in words:
        span = next((s for s in spans if s["start"] <= start < s["end"]), None)
        number = None if span is None else span["start"]
        prefix = "I-" if number is not None and number == last else "B-"
        if span is not None and span["label"] in labels:
            prefix = ""
        tags.append(OUTSIDE if span is None else f"{prefix}{span['label']}")
        last, start = number, start + len(word) + 1
    return tags
