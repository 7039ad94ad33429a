"""Tags that are no spans: from training through export to tagged files."""

import json

import pytest
import tensorflow as tf

from apps.bert.finetuning.app import FinetuneApp
from shared.common import config as configs
from shared.common.inputs import find_inputs
from shared.engine.prediction.predict import predict
from shared.engine.run import load_best, open_run
from shared.engine.saved_model.export import export
from shared.engine.training.train import train

NAMES, VERBS = ["Anna", "U.N.", "Carl", "Dora"], ["saw", "left", "likes", "knows"]
TAGGED = "".join(
    f"{a} NNP\n{verb} VBD\n{b} NNP\n{b} NNP\n. .\n\n"
    for a in NAMES
    for b in NAMES
    for verb in VERBS
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pos")
    for name in ("train.conll", "dev.conll"):
        (folder / name).write_text(TAGGED)
    values = {
        "preset": "test", "data": (str(folder),), "task_data.task_type": "tagging",
        "epochs": 30, "learning_rate": 1e-2, "validate_every": 30,
    }  # fmt: skip
    train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), folder / "run")
    return open_run(FinetuneApp(), folder / "run")


@pytest.fixture(scope="module")
def signatures(run):
    app = FinetuneApp()
    app.prepare(run)
    signatures = app.serving(run, load_best(app, run))[""].signatures()
    return {name: tf.function(function) for name, (_, function) in signatures.items()}


def test_words_are_scored_where_there_are_no_spans(run):
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["score"] == metrics["accuracy"] > 0.95
    assert not {"f1", "precision", "recall"} & set(metrics)


def test_every_word_of_raw_text_is_a_span(signatures):
    text = "Anna saw U.N. U.N. ."
    found = signatures["serving_default"](text=tf.constant([text, ""]))
    assert found["num_spans"].numpy().tolist() == [5, 0]
    spans = zip(
        found["span_label"][0].numpy(), found["span_start"][0].numpy(),
        found["span_end"][0].numpy(), strict=True,
    )  # fmt: skip
    assert [(label.decode(), text[a:b]) for label, a, b in spans] == [
        ("NNP", "Anna"), ("VBD", "saw"), ("NNP", "U.N."), ("NNP", "U.N."), (".", "."),
    ]  # fmt: skip


def test_words_that_the_model_does_not_reach_have_no_tag(signatures):
    words = [["Anna", "saw", *["Dora"] * 40], ["Anna", "saw", *[""] * 40]]
    tags = signatures["words"](words=tf.constant(words))["tags"].numpy().tolist()
    # The preset reads 32 pieces, two of them special tokens.
    assert tags[0][:3] == [b"NNP", b"VBD", b"NNP"] and tags[0][32:] == [b""] * 10
    assert tags[1] == [b"NNP", b"VBD", *[b""] * 40]


@pytest.mark.slow
def test_exported_it_tags_files(run, tmp_path):
    app = FinetuneApp()
    app.prepare(run)
    exported = export(app, run, load_best(app, run), tmp_path)[""]
    predictor = app.predictor(exported)
    for name in ("a.conll", "b.txt"):
        (tmp_path / name).write_text(TAGGED)
    sources = find_inputs([tmp_path / "a.conll", tmp_path / "b.txt"], predictor.suffixes)
    predict(exported, sources, predictor, tmp_path / "out", progress=False)
    # The same words with the same tags, whatever their file is called.
    for name in ("a.conll", "b.txt"):
        tagged = (tmp_path / "out" / "tagged" / name).read_text()
        assert tagged == TAGGED, name
