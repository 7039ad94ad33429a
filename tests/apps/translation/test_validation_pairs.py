"""Validation and evaluation data with a line of any length, or in another script."""

import types

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.translation import data
from apps.translation.app import VALIDATION_TOKENS, TranslateApp
from apps.translation.commands import commands
from apps.translation.config import MAX_TOKENS, TranslateConfig
from apps.translation.data import Tokenizers
from apps.translation.pairs.encoded_pairs import EncodedPairs
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.common import config as configs
from shared.engine import verbs
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer

WORDS = ["the cat sat", "a small dog", "birds fly away"]
LONG = "cat " * 50_000


@pytest.fixture(scope="module")
def tokenizers():
    tokenizer = SubwordTokenizer(train_tokenizer(WORDS * 4, "unigram", 290))
    return Tokenizers(tokenizer, tokenizer)


@pytest.fixture
def pairs():
    source, target = [*WORDS, LONG, "a dog"], [*WORDS, "a cat", LONG]
    return SentencePairs(source, target, [f"val.en:{n}" for n in range(1, 6)])


def tokens_of(tokenizers, text):
    return tokenizers.source([text]).to_list()[0]


def test_a_line_of_fifty_thousand_words_is_cut(tokenizers, pairs, tmp_path, capsys):
    config = TranslateConfig(pairs={"max_tokens": 8})
    data.write_validation(pairs, tokenizers, config, tmp_path)
    encoded = EncodedPairs.load(tmp_path / data.VALIDATION)
    assert len(encoded) == 5
    for side, index in ((encoded.source, 3), (encoded.target, 4)):
        # The exported model reads as much, the end included.
        np.testing.assert_array_equal(side[index], tokens_of(tokenizers, LONG)[: MAX_TOKENS - 1])
    np.testing.assert_array_equal(encoded.source[0], tokens_of(tokenizers, WORDS[0]))
    # References stay whole.
    assert data.read_validation(tmp_path).target == pairs.target
    errors = capsys.readouterr().err
    assert "val.en:4: 2 pair(s) have a side of more than 511 tokens" in errors
    assert errors.count("\n") == 1


def test_sentences_as_long_as_those_trained_on_stay_whole(tokenizers, pairs, capsys):
    config = TranslateConfig(pairs={"max_tokens": 200_000})
    encoded = data.encode_validation(pairs, tokenizers, config)
    np.testing.assert_array_equal(encoded.source[3], tokens_of(tokenizers, LONG))
    assert capsys.readouterr().err == ""


def opened_run(tokenizers, **artifacts):
    """An application and its run as `evaluate RUN DATA` opens them."""
    app, config = TranslateApp(), TranslateConfig()
    app.tokenizers, app._validation = tokenizers, None
    artifacts = {"source_language": "en", "target_language": "de"} | artifacts
    return app, types.SimpleNamespace(config=config, artifacts=artifacts, worker=(0, 1))


def files(folder, source, target):
    for name, lines in (("a.en", source), ("a.de", target)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [str(folder / "a.en"), str(folder / "a.de")]


def test_evaluation_data_with_a_long_line(tokenizers, tmp_path, capsys):
    app, run = opened_run(tokenizers)
    app.replace_validation_data(run, files(tmp_path, ["a dog"] * 80 + [LONG], ["a cat"] * 81))
    assert f"{tmp_path / 'a.en'}:81: 1 pair(s)" in capsys.readouterr().err
    found = []
    for x, y in app.dataset(run, "validation"):
        assert x["source"].shape[0] * x["source"].shape[1] <= VALIDATION_TOKENS
        found += y["index"].numpy().tolist()
    assert sorted(found) == list(range(81))
    assert app.evaluator(run).pairs.source[80] == LONG


def test_evaluation_takes_another_search(tokenizers, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(verbs, "evaluate", lambda *arguments: given.append(arguments[-1]))
    options = ["--beam-size", "7", "--length-penalty", "0.25"]
    done = CliRunner().invoke(commands, ["evaluate", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    app, run = opened_run(tokenizers, source_vocabulary=290, target_vocabulary=290)
    small = {"model.num_layers": 1, "model.hidden_dim": 8, "model.num_heads": 2}
    run.config, run.total_steps = configs.replaced(run.config, given[0] | small), 1
    app._validation = SentencePairs(WORDS, WORDS, WORDS), None
    for decoding in (app.build(run).decoding_config, app.evaluator(run).decoding):
        assert (decoding.beam_size, decoding.length_penalty) == (7, 0.25)


def test_evaluation_data_in_another_script(tokenizers, tmp_path, capsys):
    russian = ["собака лежит на траве", "кошка сидит"]
    paths = files(tmp_path, WORDS[:2], russian)
    app, run = opened_run(tokenizers, source_script="LATIN", target_script="LATIN")
    app.replace_validation_data(run, paths)
    errors = capsys.readouterr().err
    assert f"{tmp_path / 'a.en'}: the target sentences are CYRILLIC script" in errors
    assert errors.count("warning") == 1
    # A run of before knows no scripts.
    app, run = opened_run(tokenizers)
    app.replace_validation_data(run, paths)
    assert capsys.readouterr().err == ""
