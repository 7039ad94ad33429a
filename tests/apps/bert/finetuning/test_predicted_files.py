"""Which files a fine-tuned model reads, how it reads them, and what it says of the others."""

import csv
import gzip
import json

import numpy as np
import pytest

from apps.bert.finetuning.app import FinetuneApp
from apps.bert.tasks.read import read_file
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.engine.prediction.csv_view import write_csv
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs

TAGS = ["O", "B-PER", "I-PER"]
CONLL = "Anna B-PER\nLee I-PER\nleft O\n\nBob B-PER\n. O\n"
POS = "Anna\tNNP\nleft\tVBD\n\nBob\tNNP\n"


def make_predictor(folder, task_type, **more):
    """Of a SavedModel of which there is only what says what it does."""
    extra = folder / "model" / "assets.extra"
    extra.mkdir(parents=True)
    task = {"task_type": task_type, "labels": [], "paired": False, **more}
    (extra / "task.json").write_text(json.dumps(task))
    return FinetuneApp().predictor(folder / "model")


def write(path, content):
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def contents(predictor, path):
    return [source.content for source in predictor.split(Source(path.name, path))]


@pytest.mark.parametrize(
    "name", ["a.iob", "a.iob2", "a.bio.gz", "a.ner", "eng.testb", "eng.train", "a.txt", "a.tsv"]
)
def test_a_tagger_reads_columns_as_training_does(tmp_path, name):
    predictor = make_predictor(tmp_path, "tagging", labels=TAGS)
    path = write(tmp_path / name, CONLL)
    assert contents(predictor, path) == list(read_file(path, "tagging").examples)
    assert predictor.count(Source(name, path)) == 2
    assert name.endswith(predictor.suffixes)


def test_a_tagger_knows_its_own_tags(tmp_path):
    predictor = make_predictor(tmp_path, "tagging", labels=["NNP", "VBD"])
    path = write(tmp_path / "a.txt", POS)
    assert contents(predictor, path) == list(read_file(path, "tagging").examples)


def test_a_tagger_reads_plain_text_line_by_line(tmp_path):
    predictor = make_predictor(tmp_path, "tagging", labels=TAGS)
    path = write(tmp_path / "a.txt", "Anna Lee left O\n\nplan B-PER is good\n")
    assert contents(predictor, path) == [b"Anna Lee left O", b"", b"plan B-PER is good"]


SQUAD = json.dumps({"data": []})
TABLE = "sentence\tlabel\na\t1\n"


@pytest.mark.parametrize(
    ("task_type", "name", "content", "reads"),
    [
        ("tagging", "a.tsv", TABLE, "lines of text .* or CoNLL columns"),
        ("tagging", "a.csv", TABLE, "lines of text .* or CoNLL columns"),
        ("tagging", "a.jsonl.gz", "{}", "lines of text .* or CoNLL columns"),
        ("tagging", "a.json", SQUAD, "lines of text .* or CoNLL columns"),
        ("classification", "a.json", SQUAD, "lines of text .* or a table"),
        ("regression", "a.json.gz", SQUAD, "lines of text .* or a table"),
        ("pair", "a.conll", CONLL, "lines of text .* or a table"),
        ("choice", "a.json", SQUAD, "a table .* ending0, ending1"),
        ("choice", "a.md", "text", "a table .* ending0, ending1"),
    ],
)
def test_what_a_model_does_not_read_is_refused_as_a_whole(
    tmp_path, task_type, name, content, reads
):
    predictor = make_predictor(tmp_path, task_type)
    path = write(tmp_path / name, content)
    with pytest.raises(KerasuiteError, match=f"{name}: is no file for this model; give {reads}"):
        contents(predictor, path)


def test_choices_are_not_read_from_standard_input(tmp_path):
    predictor = make_predictor(tmp_path, "choice")
    with pytest.raises(KerasuiteError, match="standard input has lines of text; give a table"):
        list(predictor.split(Source("stdin", None)))


def test_columns_and_lines_of_text_share_a_csv(tmp_path):
    predictor = make_predictor(tmp_path, "tagging", labels=TAGS)
    outputs = {
        "num_spans": 1, "span_label": [b"PER"], "span_start": [0], "span_end": [4],
        "span_text": [b"Anna"], "span_score": [0.5], "truncated": False,
    }  # fmt: skip
    paths = [write(tmp_path / "a.txt", "Anna left"), write(tmp_path / "b.conll", "Anna\nleft\n")]
    logs = PredictionLogs(tmp_path)
    logs.open()
    files = {}
    for path in paths:
        source, start = Source(path.name, path), logs.position()
        for line in predictor.split(source):
            logs.accept(line, predictor.record(line, outputs))
        logs.flush()
        files |= predictor.finish(source, logs.rows(start))
    logs.close()
    with PredictionFiles(tmp_path) as writer:
        write_csv(predictor, logs, writer)
    with open(tmp_path / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["words"] for row in rows] == ["", '["Anna", "left"]']
    assert [json.loads(row["spans"])[0]["text"] for row in rows] == ["Anna", "Anna"]
    assert b"".join(files.pop("tagged/b.conll")) == b"Anna B-PER\nleft O\n\n" and not files


def read_all(predictor, path):
    """The model input of each row, or its problem."""
    found = []
    for source in predictor.split(Source(path.name, path)):
        try:
            found.append(predictor.read(source))
        except KerasuiteError as error:
            found.append(str(error))
    return found


def test_columns_are_those_of_the_training_data(tmp_path):
    columns = {"text": "claim", "pair": "proof", "label": "ok"}
    rows = "text\tclaim\tproof\nno\tso\tthus\n"
    path = write(tmp_path / "a.tsv", rows)
    predictor = make_predictor(tmp_path, "pair", paired=True, columns=columns)
    assert read_all(predictor, path) == [{"text": "so", "text_pair": "thus"}]
    path = write(tmp_path / "b.tsv", rows.replace("claim", "text1").replace("proof", "text2"))
    assert read_all(predictor, path) == [{"text": "so", "text_pair": "thus"}]


def test_exports_of_before_name_no_columns(tmp_path):
    predictor = make_predictor(tmp_path, "classification")
    path = write(tmp_path / "a.tsv", "claim\ttext\nno\tso\n")
    assert read_all(predictor, path) == [{"text": "so"}]


def test_a_row_without_its_text_is_an_error(tmp_path):
    predictor = make_predictor(tmp_path, "classification")
    rows = [{"text": "so"}, {"txet": "so"}, {"text": None}, {"text": ""}]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    lacks = "no 'text' in it; add it or remove the row"
    assert read_all(predictor, path) == [{"text": "so"}, lacks, lacks, {"text": ""}]


def test_a_row_with_an_empty_choice_is_an_error(tmp_path):
    predictor = make_predictor(tmp_path, "choice")
    path = write(tmp_path / "a.txt", "sent1\tending0\tending1\na\tb\tc\na\tb\t\n")
    first, second = read_all(predictor, path)
    assert first["text"] == "a" and np.array_equal(first["choices"], [b"b", b"c"])
    assert second == "an empty 'ending1'; fill it in or remove the row"
