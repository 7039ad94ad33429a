"""Fine-tuning of every task type on a few made-up examples, and bad data."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.finetuning.app import FinetuneApp, freeze_layers
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from shared.engine.training.evaluate import evaluate
from shared.engine.training.train import train
from tests.apps.bert.distillation.runs import write_untrained_run

NAMES, PLACES = ["Anna", "Bob", "Carl", "Dora"], ["Paris", "Rome", "Oslo", "Lima"]
VERBS = ["saw", "left", "likes", "knows"]


def sentences():
    return [f"{name} {verb} {place}" for name in NAMES for verb in VERBS for place in PLACES]


def write_table(folder, header, rows):
    folder.mkdir()
    for name in ("train.tsv", "dev.tsv"):
        lines = ["\t".join(header), *("\t".join(map(str, row)) for row in rows)]
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def trained(data, folder, epochs, learning_rate=1e-2):
    """Signatures and metrics of a model that has learnt its data by heart.

    Args:
        data: folder of the training and validation files.
        folder: the run folder.
        epochs: more than three seeds needed for a perfect score.
        learning_rate: peak learning rate.
    """
    values = {"preset": "test", "data": (str(data),), "epochs": epochs}
    values |= {"validate_every": epochs, "learning_rate": learning_rate}
    app = FinetuneApp()
    train(app, configs.resolve(FinetuneApp.config_class, values), folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    run = open_run(app, folder)
    serving = app.serving(run, load_best(app, run))[""]
    expect_nothing_of_no_rows(serving)
    return serving, metrics


def evaluated_logits(folder):
    """Logits of the best model for the validation features of a run, in their order."""
    app = FinetuneApp()
    run = open_run(app, folder)
    examples, features = app.validation_data(run)
    x, _ = features.batch(np.arange(len(examples)))
    return np.array(load_best(app, run)(x, training=False))


def expect_nothing_of_no_rows(serving):
    for name, (_, function) in serving.signatures().items():
        examples = serving.examples()[name]
        some = function(**{key: tf.constant(rows) for key, rows in examples.items()})
        none = function(**{key: tf.constant(rows[:0], tf.string) for key, rows in examples.items()})
        for output, value in none.items():
            assert value.shape[0] == 0 and value.dtype == some[output].dtype


def call(serving, **inputs):
    _, function = serving.signatures()["serving_default"]
    return function(**{name: tf.constant(values) for name, values in inputs.items()})


def test_pairs(tmp_path):
    """Whether two sentences begin alike."""
    generator = np.random.default_rng(0)
    texts = sentences()
    pairs = [(generator.choice(texts), generator.choice(texts)) for _ in range(48)]
    rows = [(a, b, "same" if a.split()[0] == b.split()[0] else "other") for a, b in pairs]
    data = write_table(tmp_path / "data", ("sentence1", "sentence2", "label"), rows)
    # At the rate of the others one seed in six stays at the share of the larger class.
    serving, metrics = trained(data, tmp_path / "run", 60, learning_rate=5e-3)
    assert metrics["accuracy"] > 0.9
    first, second, labels = (list(column) for column in zip(*rows, strict=True))
    found = call(serving, text=first, text_pair=second)
    logits = evaluated_logits(tmp_path / "run")
    served = [label.decode() for label in found["label"].numpy()]
    assert served == [("other", "same")[number] for number in logits.argmax(-1)]
    assert np.mean([a == b for a, b in zip(served, labels, strict=True)]) == metrics["accuracy"]
    np.testing.assert_allclose(found["probabilities"], tf.nn.softmax(logits), atol=1e-5)


def test_numbers(tmp_path):
    rows = [(f"{'very ' * n}good", n / 2) for n in range(6)] * 4
    data = write_table(tmp_path / "data", ("sentence", "score"), rows)
    serving, metrics = trained(data, tmp_path / "run", 40)
    assert metrics["pearson"] > 0.9
    found = call(serving, text=["good", "very very very very good", "good " * 40])
    assert found["score"][0] < found["score"][1]
    assert found["truncated"].numpy().tolist() == [False, False, True]


def test_choices(tmp_path):
    rows = [
        (f"{name} {verb}", PLACES[n % 4], NAMES[n % 4], VERBS[n % 4], VERBS[(n + 1) % 4], 0)
        for n, (name, verb) in enumerate((name, verb) for name in NAMES for verb in VERBS)
    ]
    header = ("sent1", "ending0", "ending1", "ending2", "ending3", "label")
    data = write_table(tmp_path / "data", header, rows)
    serving, metrics = trained(data, tmp_path / "run", 15)
    assert metrics["accuracy"] > 0.9
    found = call(serving, text=["Anna saw"], choices=[["Bob", "Rome", "left"]])
    assert found["probabilities"].shape == (1, 3)


def test_tags_and_spans(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = []
    for text in sentences()[::2]:
        name, verb, place = text.split()
        lines += [f"{name} B-PER", "Lee I-PER", f"{verb} O", f"U.{place} B-LOC", ". O", ""]
    for name in ("train.conll", "dev.conll"):
        (folder / name).write_text("\n".join(lines))
    serving, metrics = trained(folder, tmp_path / "run", 20)
    assert metrics["f1"] > 0.95
    text = "Anna Lee saw U.Rome ."
    found = {name: value.numpy() for name, value in call(serving, text=[text, ""]).items()}
    assert found["num_spans"].tolist() == [2, 0]
    offsets = zip(found["span_start"][0], found["span_end"][0], strict=True)
    labels = [label.decode() for label in found["span_label"][0]]
    spans = [(label, text[a:b]) for label, (a, b) in zip(labels, offsets, strict=True)]
    assert spans == [("PER", "Anna Lee"), ("LOC", "U.Rome")]
    assert [found["span_text"][0, n].decode() for n in range(2)] == ["Anna Lee", "U.Rome"]
    _, words = serving.signatures()["words"]
    tags = words(words=tf.constant([["Bob", "Lee", "left", "U.Oslo", "."]]))["tags"].numpy()[0]
    assert [tag.decode() for tag in tags] == ["B-PER", "I-PER", "O", "B-LOC", "O"]


def test_answers(tmp_path):
    paragraphs = []
    for n, text in enumerate(sentences()[::2]):
        name, verb, place = text.split()
        context = "Bob knows " * (n % 4) + text
        answer = {"text": place, "answer_start": context.index(place)}
        question = {"id": f"q{n}", "question": f"where {name} ?", "answers": [answer]}
        paragraphs.append({"context": context, "qas": [question]})
    data = {"data": [{"title": "a", "paragraphs": paragraphs}]}
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train.json", "dev.json"):
        (folder / name).write_text(json.dumps(data))
    serving, metrics = trained(folder, tmp_path / "run", 20)
    assert metrics["exact_match"] > 0.9
    long = "Bob knows " * 40 + "Bob left Oslo"
    found = call(serving, question=["where Bob ?", "where ?"], context=[long, ""])
    answer, start = found["answer"].numpy(), found["start"].numpy()
    assert answer[0].decode() == long[start[0] : found["end"].numpy()[0]] == "Oslo"
    assert answer[1] == b""


def test_a_run_without_metrics_is_judged_on_other_data(tmp_path):
    """Metrics are written when a training ends; before, its best model can be evaluated already."""
    rows = [(text, text.split()[0]) for text in sentences()]
    data = write_table(tmp_path / "data", ("sentence", "label"), rows)
    folder = write_untrained_run(FinetuneApp(), tmp_path / "run", data=(str(data),))
    app = FinetuneApp()
    run = open_run(app, folder)
    app.replace_validation_data(run, [str(data / "train.tsv")])
    metrics, _ = evaluate(app, run, load_best(app, run))
    assert 0 <= metrics["accuracy"] <= 1


def test_frozen_layers_stay(tmp_path):
    rows = [(text, text.split()[0]) for text in sentences()]
    data = write_table(tmp_path / "data", ("sentence", "label"), rows)
    values = {"preset": "test", "data": (str(data),), "epochs": 1, "head.freeze_layers": 1}
    app = FinetuneApp()
    run = train(app, configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")
    model = app.build(run)
    every = len(model.trainable_variables)
    freeze_layers(model.encoder, 1)
    # Three embeddings, the normalisation's two, and twelve of a block less.
    assert every - len(model.trainable_variables) == 3 + 2 + 12
    freeze_layers(model.encoder, -1)
    assert {v.path for v in model.trainable_variables} == {
        "bert/head/dense/kernel", "bert/head/dense/bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (("sentence", "label"), [("a b", 1), ("c", 1)], "all labels are '1'"),
        (("sentence", "label"), [], "no row"),
        (("alpha", "beta", "gamma"), [("a", "b", "c")] * 4, "--text-column"),
    ],
)
def test_bad_tables(tmp_path, header, rows, message):
    data = write_table(tmp_path / "data", header, rows)
    values = {"preset": "test", "data": (str(data),)}
    with pytest.raises(KerasuiteError, match=message):
        train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_label_never_seen_in_training_is_named(tmp_path):
    data = write_table(tmp_path / "data", ("sentence", "label"), [("a", "x"), ("b", "y")] * 4)
    (data / "dev.tsv").write_text("sentence\tlabel\na\tz\n")
    values = {"preset": "test", "data": (str(data),)}
    with pytest.raises(KerasuiteError, match=r"data/dev\.tsv:2: label 'z' is not one of .*: x, y"):
        train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")


def test_a_tag_never_seen_in_training_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    for name, tag in (("train.conll", "PER"), ("dev.conll", "MISC")):
        (tmp_path / "data" / name).write_text(f"Anna B-{tag}\nleft O\n\n" * 4)
    values = {"preset": "test", "data": (str(tmp_path / "data"),)}
    with pytest.raises(KerasuiteError, match=r"dev\.conll:1: tag 'B-MISC' is not one of"):
        train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")
