"""Trainings of translation on real data against their floors: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite

pytestmark = pytest.mark.quality


def train(folder, *arguments):
    """Seconds of a training from the command line."""
    started = time.perf_counter()
    expect_success(
        kerasuite("translate", "train", *arguments, "--output", folder, timeout=3 * 3600)
    )
    return time.perf_counter() - started


def evaluate(run, *pairs):
    expect_success(kerasuite("translate", "evaluate", run, *pairs, timeout=3600))
    return json.loads((run / "evaluation" / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("preset", "source", "target", "floor"),
    [
        ("tiny", "en", "de", 35.0),
        ("recurrent", "en", "de", 31.0),
        ("tiny", "de", "en", None),
        ("tiny", "en", "fr", None),
    ],
)
def test_captions(real_data, tmp_path, preset, source, target, floor):
    """sacreBLEU (13a, cased, detokenised) on test_2016_flickr, beam 4, within an hour."""
    data, run = real_data / "multi30k", tmp_path / "run"
    options = ("--preset", preset, "--source", source, "--target", target)
    seconds = train(run, data, *options)
    test = [data / f"test_2016_flickr.{language}" for language in (source, target)]
    metrics = evaluate(run, *test)
    print(
        f"\n{preset} {source}-{target}: BLEU {metrics['bleu']:.2f}, chrF {metrics['chrf']:.2f} "
        f"in {seconds:.0f} s; {metrics['bleu_signature']}"
    )
    if floor is not None:
        assert metrics["bleu"] >= floor
        assert seconds <= 3600


@pytest.mark.parametrize("reverse", [False, True])
def test_sentences_in_chinese(real_data, tmp_path, reverse):
    """Both directions on a held-out tenth; reported, not bounded."""
    data, run = real_data / "tatoeba_en_zh" / "train.tsv", tmp_path / "run"
    options = ("--preset", "tiny", "--source", "en", "--target", "zh")
    seconds = train(run, data, *options, *(["--reverse"] if reverse else []))
    metrics = json.loads((run / "metrics.json").read_text())
    direction = "zh-en" if reverse else "en-zh"
    print(
        f"\n{direction}: BLEU {metrics['bleu']:.2f}, chrF {metrics['chrf']:.2f} in "
        f"{seconds:.0f} s; "
        f"{metrics['bleu_signature']}"
    )
    assert metrics["bleu"] > 5
    for line in (run / "samples" / "translations.tsv").read_text().splitlines()[:6]:
        print(line)


def test_number_words(tmp_path):
    """The demo's sample: over 95 % exact."""
    from shared.samples.registry import write_sample

    write_sample("numbers-en-zh", tmp_path / "numbers")
    options = ("--preset", "numbers", "--source", "en", "--target", "zh")
    seconds = train(tmp_path / "run", tmp_path / "numbers", *options)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    print(f"\nnumbers: {metrics['exact']:.1%} exact in {seconds:.0f} s")
    assert metrics["exact"] > 0.95
