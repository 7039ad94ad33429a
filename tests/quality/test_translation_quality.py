"""Trainings of translation on real data against their floors: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

PUBLISHED = "41.0 (Transformer-Tiny, tokenised and lower-cased); 31 to 36 in tutorials"


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
    languages = {"en": "English", "de": "German", "fr": "French"}
    write_result(
        f"translate-multi30k-{source}-{target}-{preset}",
        f"kerasuite translate train multi30k --source {source} --target {target} "
        f"--preset {preset}",
        f"Multi30k (29,000 captions), {languages[source]} to {languages[target]}, "
        "test_2016_flickr",
        "BLEU (sacreBLEU 13a, cased)", f"{metrics['bleu']:.1f}", seconds,
        PUBLISHED if (source, target) == ("en", "de") else "",
    )  # fmt: skip
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
    write_result(
        f"translate-tatoeba-{direction}",
        "kerasuite translate train tatoeba.tsv --preset tiny --source en --target zh"
        + (" --reverse" if reverse else ""),
        f"Tatoeba, {direction}, a held-out tenth", "BLEU (sacreBLEU)",
        f"{metrics['bleu']:.1f}", seconds,
    )  # fmt: skip
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
    write_result(
        "translate-numbers",
        "kerasuite translate train numbers --source en --target zh --preset numbers",
        "the sample numbers-en-zh", "exact translations", f"{metrics['exact']:.1%}", seconds,
    )  # fmt: skip
    assert metrics["exact"] > 0.95
