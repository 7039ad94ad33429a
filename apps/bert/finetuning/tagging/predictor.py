"""Batch inference of a tagger: lines of text to spans, CoNLL files to files with tags."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from apps.bert.finetuning.texts.predictor import CONLL, DIGITS, LINES, FineTunedPredictor
from apps.bert.tasks.conll import OUTSIDE, conll_lines, looks_like_conll, read_conll
from apps.bert.tasks.examples import TaggedSentence
from shared.text.line_files import file_pieces


class TaggingPredictor(FineTunedPredictor):
    """Lines of text to spans; CoNLL files to the same files with a column of tags."""

    inputs = ("text",)
    # What training takes for CoNLL only if it is told so, or finds by what is in it.
    suffixes = (*LINES, ".tsv", ".tab", *CONLL, ".train", ".gz")
    table_endings = ()
    reads = "lines of text (.txt), or CoNLL columns with a word a line (.conll, .bio, .iob)"

    def is_structured(self, path):
        return looks_like_conll(path, self.task["labels"]) or super().is_structured(path)

    def examples(self, path):
        return read_conll(path, labelled=False)

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
    """Tags of words, from spans of the words joined by spaces: IOB2, or a label as it is.

    Args:
        labels: the tags of the model, to know those without B- and I-.

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
