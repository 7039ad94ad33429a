"""Reading and writing files in batch inference, besides the rows of predictions."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from apps.bert.distillation import tools
from apps.bert.embedding.predictor import VECTORS, EmbeddingPredictor
from apps.bert.finetuning.tagging.predictor import TaggingPredictor
from apps.bert.finetuning.texts.predictor import TextPredictor
from apps.bert.tasks.conll import read_conll
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source

SPANS = [{"label": "PER", "start": 0, "end": 8}, {"label": "LOC", "start": 18, "end": 23}]
WORDS = ["Anna", "Lee", "lives", "in", "Paris"]


def test_a_tagged_file_can_be_read_again(tmp_path):
    """A word and its tag a line."""
    row = {"words": WORDS, "spans": SPANS}
    predictor = TaggingPredictor({"task_type": "tagging", "labels": ["O", "B-PER", "I-PER"]})
    files = predictor.finish(Source("a.conll", tmp_path / "a.conll"), [row, row])
    (tmp_path / "a.conll").write_bytes(b"".join(files["tagged/a.conll"]))
    found = read_conll(tmp_path / "a.conll").examples
    assert [sentence.words for sentence in found] == [tuple(WORDS)] * 2
    assert found[0].tags == ("B-PER", "I-PER", "O", "O", "B-LOC")


def test_a_line_holds_a_pair_separated_by_a_tab(tmp_path):
    predictor = TextPredictor({"task_type": "pair", "paired": True})
    source = Source("a.txt", tmp_path / "a.txt", 1, b" the food \tthe film\x07 \n")
    assert predictor.read(source) == {"text": "the food", "text_pair": "the film"}
    with pytest.raises(KerasuiteError, match="separated by a tab"):
        predictor.read(Source("a.txt", tmp_path / "a.txt", 1, b"the food\n"))


def test_vectors_of_rows_are_collected():
    rows = [{"vector": [1.0, 2.0]}, {"error": "empty"}, {"vector": [3.0, 4.0]}]
    found = np.load(io.BytesIO(b"".join(EmbeddingPredictor().summary(rows)[VECTORS])))
    np.testing.assert_array_equal(found, [[1, 2], [3, 4]])


def test_a_model_without_a_masked_lm_head_does_not_augment(monkeypatch, tmp_path):
    run = SimpleNamespace(artifacts={"untrained": ["masked-LM head"]})
    monkeypatch.setattr("shared.engine.run.open_run", lambda app, folder: run)
    with pytest.raises(KerasuiteError, match="has no masked-LM head"):
        tools._masked(tmp_path, 5)


def test_what_was_recognised_is_said(tmp_path, capsys):
    """In prediction as in training; the columns that the user named are those of the model."""
    path = tmp_path / "a.conllu"
    path.write_bytes("1\tEspaña\tX\tB-LOC\n2\tes\tY\tO\n\n".encode("latin-1"))
    task = {"task_type": "tagging", "labels": ["O", "B-LOC", "I-LOC"]}
    (found,) = TaggingPredictor(task).split(Source("a.conllu", path))
    assert found.content.words == ("Espa\ufffda", "es")
    err = " ".join(capsys.readouterr().err.split())
    assert "column 2 is read as words" in err and "1 line(s) are not UTF-8" in err
    named = task | {"columns": {"text": "3", "pair": "", "label": "4"}}
    (found,) = TaggingPredictor(named).split(Source("a.conllu", path))
    assert found.content.words == ("X", "Y")
