"""Word vectors from 11.7 million words against gensim's scores on the same text: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.bench.english_corpus import write_english_corpus
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

# WordSim-353, SimLex-999 and analogies of gensim (of Stanford's program for GloVe), and how far
# their own seeds lie apart.
REFERENCES = {
    "skipgram": (0.507, 0.302, 0.148),
    "cbow": (0.449, 0.203, 0.110),
    "glove": (0.373, 0.171, 0.133),
    "skipgram-hs": (0.543, 0.269, 0.138),
    "cbow-hs": (0.450, 0.220, 0.110),
}
SPREAD = (0.03, 0.05, 0.01)
OPTIONS = {
    "skipgram": ("--epochs", "3"),
    "cbow": ("--epochs", "3", "--algorithm", "cbow"),
    "glove": ("--preset", "glove"),
    "skipgram-hs": ("--epochs", "3", "--loss", "hierarchical-softmax"),
    "cbow-hs": ("--epochs", "3", "--algorithm", "cbow", "--loss", "hierarchical-softmax"),
}


@pytest.fixture(scope="module")
def corpus(real_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("english") / "english.txt"
    write_english_corpus(real_data, path)
    return path


@pytest.mark.parametrize("algorithm", list(OPTIONS))
def test_scores_are_not_below_the_reference(algorithm, corpus, tmp_path):
    run = tmp_path / "run"
    started = time.perf_counter()
    options = (*OPTIONS[algorithm], "--pattern", "whitespace")
    expect_success(kerasuite("embed", "train", corpus, *options, "--output", run, timeout=3600))
    metrics = json.loads((run / "metrics.json").read_text())
    names = ("wordsim353", "simlex999", "questions-words_3cosadd")
    scores = [metrics[name] for name in names]
    print(f"\n{algorithm}: " + " / ".join(f"{score:.3f}" for score in scores))
    ours, theirs = (
        " / ".join(f"{score:.3f}" for score in each) for each in (scores, REFERENCES[algorithm])
    )
    write_result(
        f"embed-{algorithm}", f"kerasuite embed train english.txt {' '.join(options)}",
        "11.7 million words of English", "WordSim-353 / SimLex-999 / analogies", ours,
        time.perf_counter() - started,
        f"{theirs} ({'Stanford GloVe' if algorithm == 'glove' else 'gensim'}, the same text)",
    )  # fmt: skip
    for score, reference, spread in zip(scores, REFERENCES[algorithm], SPREAD, strict=True):
        assert score >= reference - spread
