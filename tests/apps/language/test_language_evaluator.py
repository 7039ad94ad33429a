"""Metrics of a text against their definitions, and its page."""

import math

import numpy as np
import pytest

from apps.language.evaluator import LanguageEvaluator
from apps.language.token_stream import TextSize
from apps.language.tokenizers.kinds import learn_tokenizer


@pytest.fixture
def tokenizer(tmp_path):
    return learn_tokenizer("char", iter(["<ab>\n"]), 99, tmp_path)


def test_metrics_are_of_the_counted_tokens(tokenizer, tmp_path):
    size = TextSize(tokens=7, unknown=2, documents=1, characters=12, bytes=15, words=3)
    evaluator = LanguageEvaluator(size, tokenizer, lambda: ["one", "<two>"])
    generator = np.random.default_rng(0)
    tokens = np.array([[3, 4, 5, 6, 7], [4, 8, 8, 1, 0]], np.int32)
    counted = np.array([[1, 1, 1, 1], [0, 1, 1, 1]], bool)
    logs = -generator.random((2, 4)).astype(np.float32)
    for row in range(2):
        batch = {"tokens": tokens[[row]], "counted": counted[[row]]}
        evaluator.update(batch, {"log_probabilities": logs[[row]]})
    nats = -float(logs[counted].astype(np.float64).sum())
    assert evaluator.result() == {
        "loss": pytest.approx(nats / 7),
        "perplexity": pytest.approx(math.exp(nats / 7)),
        "word_perplexity": pytest.approx(math.exp(nats / 3)),
        "bits_per_character": pytest.approx(nats / math.log(2) / 12),
        "bits_per_byte": pytest.approx(nats / math.log(2) / 15),
    }
    assert evaluator.report(tmp_path) == {
        "tokens": 7, "unknown_tokens": 2, "characters": 12, "words": 3,
    }  # fmt: skip
    page = (tmp_path / "samples" / "surprises.html").read_text(encoding="utf-8")
    assert page.count(' bits"') == 7 and "&lt;</span>" in page
    bits = -logs[0, 0] / math.log(2)
    assert f'title="{bits:.2f} bits" style="background:rgb(230 100 30 / {bits / 10:.2f})"' in page
    evaluator.after_epoch(tmp_path, 3)
    text = (tmp_path / "samples" / "epoch-003.txt").read_text()
    assert text.split("\n") == ["one", "-" * 72, "<two>", ""]


def test_no_number_stands_for_no_words(tokenizer):
    evaluator = LanguageEvaluator(TextSize(tokens=1, documents=1), tokenizer, list)
    batch = {"tokens": np.array([[3, 3]]), "counted": np.array([[True]])}
    evaluator.update(batch, {"log_probabilities": np.array([[-200.0]], np.float32)})
    assert evaluator.result() == {"loss": 200.0, "perplexity": math.exp(100)}
