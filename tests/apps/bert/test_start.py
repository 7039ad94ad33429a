"""Vocabularies in folders: what the files say is done, and what is wrong with them is said."""

import json

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import load_tokenizer
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.pretraining.app import PretrainApp
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import Run, load_best, open_run
from shared.engine.training.train import train
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS
from tests.apps.bert.distillation.runs import write_untrained_run

VOCABULARY = [*SPECIAL_TOKENS, "cafe", "café", "Cafe", "Café", "我", "们", "我们", "\u2028", "\x85"]


def write(folder, vocabulary=VOCABULARY, end="\n", **config):
    text = end.join(vocabulary) + end
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def pieces(tokenizer, text):
    return tokenizer.pieces(tokenizer(tf.constant([text]))[0].numpy())


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"do_lower_case": True}, ["cafe", "我", "们"]),
        ({"do_lower_case": True, "strip_accents": False}, ["café", "我", "们"]),
        ({"do_lower_case": False}, ["Café", "我", "们"]),
        ({"do_lower_case": False, "strip_accents": True}, ["Cafe", "我", "们"]),
        ({"do_lower_case": False, "tokenize_chinese_chars": False}, ["Café", "我们"]),
        ({"do_lower_case": True, "strip_accents": None}, ["cafe", "我", "们"]),
        # The vocabulary has capitals.
        ({}, ["Café", "我", "们"]),
    ],
)
def test_the_config_decides(tmp_path, config, expected):
    assert pieces(load_tokenizer(write(tmp_path, **config)), "Café 我们") == expected


def test_without_capitals_it_is_an_uncased_one(tmp_path):
    small = [token for token in VOCABULARY if token not in ("Cafe", "Café")]
    assert load_tokenizer(write(tmp_path, small)).lowercase


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("vocab.txt", b"[PAD]\n[UNK]\n", r"vocab.txt: has no \[CLS\]"),
        ("vocab.txt", b"[PAD]\n\xff\n", "vocab.txt: is no UTF-8 text"),
        ("tokenizer_config.json", b'{"do_lower_case": "no"}', "do_lower_case is 'no'; it must be"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (write(tmp_path) / name).write_bytes(content)
    with pytest.raises(KerasuiteError, match=message):
        load_tokenizer(tmp_path)


def test_a_run_starts_from_the_encoder_of_another(tmp_path):
    """Pretrained, then fine-tuned: the encoder's weights are taken, heads are not."""
    text = "the cat sat\nthe dog ran\n\nthe cat ran\nthe dog sat\n" * 20
    (tmp_path / "text.txt").write_text(text)
    rows = "".join(f"the {'cat ' * n}\t1\nthe {'dog ' * n}\t0\n" for n in range(1, 9))
    (tmp_path / "train.tsv").write_text(f"sentence\tlabel\n{rows}")
    start = tmp_path / "pretrained"
    values = {"data": (str(tmp_path / "text.txt"),), "tokens.vocabulary_size": 64}
    write_untrained_run(PretrainApp(), start, **values)
    app = FinetuneApp()
    values = {"preset": "test", "data": (str(tmp_path / "train.tsv"),), "init": str(start)}
    run = Run(configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")
    run.folder.mkdir()
    app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)
    model = app.build(run)
    app.init_weights(run, model)
    pretrained = load_best(PretrainApp(), open_run(PretrainApp(), start))
    for ours, theirs in zip(model.encoder.weights, pretrained.encoder.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (run.folder / "vocab.txt").read_bytes() == (start / "vocab.txt").read_bytes()


@pytest.mark.parametrize(
    ("app", "options", "message"),
    [
        (FinetuneApp, {"encoder.num_heads": 3}, "--num-heads 3: does not divide --hidden-dim"),
        (FinetuneApp, {"encoder.heads_per_layer": (2,) * 9}, "names the heads of 9 layers"),
        (FinetuneApp, {"task_data.max_length": 900}, "--max-length 900: the encoder has"),
        (PretrainApp, {"sequences.sequence_length": 900}, "--sequence-length 900: the encoder has"),
    ],
)
def test_shapes_that_cannot_be(tmp_path, app, options, message):
    data = tmp_path / "data.tsv"
    data.write_text(
        "sentence\tlabel\n" + "".join(f"text {n}\t{'yes' if n % 3 else 'no'}\n" for n in range(40))
    )
    values = {"preset": "test", "data": (str(data),), **options}
    with pytest.raises(KerasuiteError, match=message):
        train(app(), configs.resolve(app.config_class, values), tmp_path / "run")


def test_what_init_decides_is_said_and_written(tmp_path, capsys):
    """Options that contradict the encoder of --init are named; config.yaml tells the truth."""
    (tmp_path / "text.txt").write_text("the cat sat\nthe dog ran\n\nthe cat ran\n" * 20)
    values = {"data": (str(tmp_path / "text.txt"),), "epochs": 1}
    first = tmp_path / "first"
    write_untrained_run(PretrainApp(), first, **values, **{"tokens.vocabulary_size": 64})
    values |= {"preset": "test", "init": str(tmp_path / "first"), "tokens.vocabulary": "other.txt"}
    config = configs.resolve(PretrainApp.config_class, values | {"encoder.num_layers": 5})
    train(PretrainApp(), config, tmp_path / "second")
    said = capsys.readouterr().err
    assert "not used: --vocabulary, --num-layers 5 (it has 2)" in " ".join(said.split())
    written = configs.load(PretrainApp.config_class, tmp_path / "second" / "config.yaml")
    assert written.encoder.num_layers == 2
    train(PretrainApp(), written, tmp_path / "second", resume=True)
